"""The confidence of learned explanations, and the explainer of poor ones."""

import pytest
import torch
from torch import nn

from pear_lightning.explainers import (
    AmortizedExplainer,
    ExpectedGradients,
    ExplanationConfidence,
    KernelShap,
    explain,
)
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessCorrelation
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import ExplainerMLP
from pear_lightning.scoring import Batch, PrefixLaw, UniformSizeLaw
from tests.modules.helpers import quiet_trainer

N = 6
WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 1.5, 3.0, -1.0])
MASKER = ColumnMasker(N)


class Additive(nn.Module):
    """The logits of a linear model, which counts the rows that it sees."""

    def __init__(self):
        super().__init__()
        self.rows = 0

    def forward(self, inputs):
        self.rows += len(inputs)
        return torch.stack([torch.zeros(len(inputs)), inputs @ WEIGHTS], dim=1)


class RightOnOneHalf(nn.Module):
    """The true contributions where the first column is positive, other numbers elsewhere."""

    def forward(self, inputs):
        truth = inputs * WEIGHTS
        wrong = truth.flip(1) - 2 * truth
        return torch.where(inputs[:, :1] > 0, truth, wrong)


def rows(count=40, seed=0):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(seed))


def build(**kwargs):
    confidence = ExplanationConfidence(output="centered_logit")  # in which the model is additive
    return AmortizedExplainer(RightOnOneHalf(), MASKER, **{"confidence": confidence} | kwargs)


def shap():
    return KernelShap(64, masker=MASKER)  # all coalitions


def attributions_of(explainer, inputs=None, model=None):
    inputs = rows() if inputs is None else inputs
    return explain(model or Additive(), inputs, 1, [explainer], output="centered_logit")[1][0]


def wrong(inputs):
    return inputs[:, 0] <= 0


def test_confidence_is_high_on_the_right_half_and_low_on_the_wrong():
    found = build().confidence(Additive(), Batch(rows(), torch.ones(40).long()))
    assert found[~wrong(rows())].min() > 0.999
    assert found[wrong(rows())].max() < 0.9


@pytest.mark.parametrize("by", ["threshold", "share"])
def test_the_fallback_explains_exactly_the_wrong_half_and_faithfulness_rises(by):
    inputs = rows()
    half = wrong(inputs)
    settings = {"threshold": 0.95} if by == "threshold" else {"share": float(half.float().mean())}
    plain, helped = attributions_of(build()), attributions_of(build(fallback=shap(), **settings))
    changed = (plain != helped).any(dim=1)
    assert torch.equal(changed, half)
    torch.testing.assert_close(helped[half], attributions_of(shap())[half])
    metric = FaithfulnessCorrelation(MASKER, n_subsets=50, subset_size=0.5, output="centered_logit")
    target = torch.ones(40).long()
    before, after = (metric.score(Additive(), inputs, a, target) for a in (plain, helped))
    assert after.mean() > before.mean() + 0.1
    assert (after >= before - 1e-5).all()


def test_mean_faithfulness_rises_with_the_share():
    metric = FaithfulnessCorrelation(MASKER, n_subsets=50, subset_size=0.5, output="centered_logit")
    means = []
    for share in (0.0, 0.1, 0.3, 1.0):
        found = attributions_of(build(fallback=shap(), share=share))
        means.append(metric.score(Additive(), rows(), found, torch.ones(40).long()).mean())
    assert means == sorted(means)
    assert means[1] > means[0] + 0.02


def test_confidence_is_the_correlation_of_the_loss():
    loss = LocalCorrelationLoss([CorrelationTerm(UniformSizeLaw(), output="prob", n_subsets=9)])
    own = ExplanationConfidence(9, output="prob", seed=5)
    batch, model = Batch(rows(), torch.ones(40).long()), Additive()
    saliency = build().saliency(batch)
    removals = loss.evaluate(model, batch, MASKER, seed=5)
    (expected,) = loss.correlations(saliency, removals, batch.target)
    torch.testing.assert_close(own(model, batch, MASKER.bind(rows()), saliency), expected.values)


def test_the_model_is_evaluated_only_with_a_fallback_and_for_its_samples():
    model = Additive()
    attributions_of(build(), model=model)
    alone = model.rows
    assert alone == 40  # explain() returns the logits
    attributions_of(build(fallback=shap(), share=0.0), model=model)
    confidence = model.rows - 2 * alone
    assert confidence == 40 * (16 + 1)
    before = model.rows
    attributions_of(build(fallback=shap(), share=0.1), model=model)
    coalitions = model.rows - before - alone - confidence
    assert 4 * 60 < coalitions <= 4 * 64


def test_with_a_threshold_a_sample_does_not_depend_on_the_others():
    explainer = build(fallback=shap(), threshold=0.95)
    together = attributions_of(explainer)
    alone = torch.cat([attributions_of(explainer, row[None]) for row in rows()])
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


def test_the_explained_class_is_the_one_asked_for():
    """For class 0 the contributions to class 1 are wrong, and the fallback is not."""
    inputs = rows()[~wrong(rows())]
    explainer = build(fallback=shap(), threshold=0.9)
    _, (found,) = explain(Additive(), inputs, 0, [explainer], output="centered_logit")
    torch.testing.assert_close(found, -inputs * WEIGHTS / 2, rtol=1e-4, atol=1e-4)


def test_no_gradient_of_the_fallback_and_reference_data_reach_it():
    explainer = build(fallback=ExpectedGradients(seed=0), share=0.5)
    assert explainer.uses_training_data
    assert explainer.awaits_training_data
    assert explainer.takes_gradients
    assert explainer.needs_floating_inputs
    explainer.fit_reference(rows().mean(dim=0), rows())
    assert not explainer.awaits_training_data
    found = attributions_of(explainer)
    assert found.isfinite().all()
    assert not found.requires_grad
    assert not build(fallback=shap(), share=0.5).takes_gradients


def test_a_checkpoint_is_loaded_with_a_fallback(tmp_path):
    trained = DeepFaith(Additive(), ExplainerMLP(N), MASKER)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(trained, torch.utils.data.DataLoader(rows(), batch_size=20))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    path = tmp_path / "model.ckpt"
    plain = AmortizedExplainer.load_from_checkpoint(path)
    helped = AmortizedExplainer.load_from_checkpoint(path, fallback=shap(), share=0.25)
    changed = (attributions_of(plain) != attributions_of(helped)).any(dim=1)
    assert changed.sum() == 10
    assert plain.fallback is None
    assert helped.recipe() == plain.recipe()
    # the state of a fallback that was set before the checkpoint was written is not part of it
    trained.explainer.set_fallback(
        KernelShap(masker=ColumnMasker(N, baseline=torch.ones(N))), share=0.5
    )
    assert any("_fallback" in name for name in trained.state_dict())
    trainer.save_checkpoint(path)
    assert AmortizedExplainer.load_from_checkpoint(path).fallback is None
    assert trained.explainer.stochastic == KernelShap().stochastic
    trained.explainer.set_fallback(None)
    assert trained.explainer.stochastic == plain.stochastic


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fallback": shap()}, ValueError, "share or threshold must be given"),
        ({"fallback": shap(), "share": 0.1, "threshold": 0.5}, ValueError, "exactly one"),
        ({"share": 0.1}, ValueError, "fallback must be given"),
        ({"fallback": "shap", "share": 0.1}, TypeError, "fallback must be an Explainer"),
        ({"fallback": shap(), "share": 1.5}, ValueError, "share must lie in"),
        ({"fallback": shap(), "threshold": 2.0}, ValueError, "threshold must lie in"),
    ],
)
def test_arguments_are_checked(arguments, error, message):
    with pytest.raises(error, match=message):
        build(**arguments)


def test_scores_that_are_not_finite_have_no_confidence():
    class Broken(nn.Module):
        def forward(self, inputs):
            return inputs * float("nan")

    explainer = AmortizedExplainer(Broken(), MASKER, fallback=shap(), threshold=0.5)
    with pytest.raises(ValueError, match="saliency must be finite, got 24 NaN"):
        explainer.confidence(Additive(), rows(4))


def test_a_law_that_follows_the_explanation_is_refused():
    with pytest.raises(ValueError, match="law must not follow the order"):
        ExplanationConfidence(law=PrefixLaw())
