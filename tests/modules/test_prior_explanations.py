"""Prior explanations: what is explained, scored, selected and counted."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.explainers import (
    Gradient,
    InputXGradient,
    Lime,
    Occlusion,
    Prior,
    RandomAttributions,
    SmoothGrad,
    explain,
    prior_set,
)
from pear_lightning.functional.explanation_selection import select_explanations
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker, PatchMasker, TokenMasker
from pear_lightning.metrics import Deletion, FaithfulnessSuite
from pear_lightning.modules import PriorExplanations
from pear_lightning.nn import MLP, SklearnClassifier, TransformerTextClassifier
from pear_lightning.scoring import PrefixLaw
from tests.modules.helpers import quiet_trainer

N = 5


def f():
    torch.manual_seed(1)
    return MLP(N, 3, hidden_features=(8,), dropout=0.5)


def rows(count=12, seed=0):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(seed))


def small_suite(masker, names):
    return FaithfulnessSuite(masker, names, n_subsets=10)


def priors():
    masker = ColumnMasker(N)
    return {
        "gradient": Prior(Gradient()),
        "product": Prior(InputXGradient()),
        "product of probability": Prior(InputXGradient(), "prob"),
        "occlusion": Prior(Occlusion(masker), "prob"),
        "lime": Prior(Lime(masker=masker, seed=0)),
    }


def build(target=None, explainers=None, **kwargs):
    return PriorExplanations(
        f() if target is None else target,
        ColumnMasker(N),
        priors() if explainers is None else explainers,
        **{"suite": small_suite} | kwargs,
    )


def test_each_prior_explains_its_own_scalar_and_is_scored_by_the_suite():
    target = f()
    model = build(target)
    found = model.predict_step(rows(), 0)
    wanted = target.eval()(rows()).argmax(dim=1)
    assert torch.equal(found["target"], wanted)
    attributions = {}
    for number, (name, prior) in enumerate(priors().items()):
        _, (alone,) = explain(target, rows(), wanted, [prior.explainer], output=prior.output)
        torch.testing.assert_close(found["saliency"][:, number], alone)
        attributions[name] = alone
    scores = small_suite(ColumnMasker(N), list(priors())).score(
        target, rows(), attributions, wanted
    )
    for number, each in enumerate(scores.values()):
        torch.testing.assert_close(found["scores"][:, :, number], each.T)


def test_the_selection_is_that_of_the_pure_function_with_the_directions_of_the_metrics():
    for rules in ({}, {"keep": "first", "similarity": 0.6, "quantile": 0.5,
                       "quantiles_over": "all", "without_survivor": "drop"}):  # fmt: skip
        model = build(**rules)
        found = model.predict_step(rows(), 0)
        up = torch.tensor(list(model.suite.directions.values()))
        expected = select_explanations(found["saliency"], found["scores"], up, **rules)
        assert torch.equal(found["candidates"], expected.candidates)
        assert torch.equal(found["survivors"], expected.survivors)
        assert torch.equal(found["without_survivor"], expected.without)


def test_results_do_not_depend_on_the_other_samples():
    model = build()
    together = model.predict_step(rows(), 0)
    alone = [model.predict_step(row[None], 0) for row in rows()]
    for name in ("target", "candidates", "survivors", "fingerprint"):
        assert torch.equal(torch.cat([each[name] for each in alone]), together[name])
    for name in ("saliency", "scores"):
        torch.testing.assert_close(
            torch.cat([each[name] for each in alone]), together[name], rtol=1e-4, atol=1e-5
        )


def test_an_explainer_that_draws_without_a_seed_gives_a_batch_the_same_numbers_again():
    explainers = {"smooth": Prior(SmoothGrad(4)), "random": Prior(RandomAttributions())}
    model = build(explainers=explainers)
    first = model.predict_step(rows(), 0)
    torch.rand(7)
    assert torch.equal(model.predict_step(rows(), 0)["saliency"], first["saliency"])
    assert not torch.equal(model.predict_step(rows(seed=1), 0)["saliency"], first["saliency"])


def test_held_out_metrics_are_recorded_and_do_not_select():
    chosen = ["deletion", "insertion"]
    model = build(selected_by=chosen)
    found = model.predict_step(rows(), 0)
    assert found["scores"].shape[2] == 10
    numbers = [model.metrics.index(name) for name in chosen]
    expected = select_explanations(
        found["saliency"], found["scores"][:, :, numbers], torch.tensor([False, True])
    )
    assert torch.equal(found["survivors"], expected.survivors)
    with pytest.raises(ValueError, match="selected_by must be names of metrics"):
        build(selected_by=["accuracy"])


def test_shared_probes_are_evaluated_once_for_all_explanations():
    """Random subsets and single removals do not depend on the number of explanations."""

    def evaluations(count):
        explainers = {str(k): Prior(RandomAttributions(seed=k)) for k in range(count)}
        return build(explainers=explainers).predict_step(rows(), 0)["evaluations"] / 12

    one, two, three = (evaluations(count) for count in (1, 2, 3))
    curves = 2 * (N - 1)
    assert two - one == three - two == curves
    assert one < 2 + 2 + curves + 10 + N + 3  # originals, ends, subsets and single removals


def test_undefined_scores_and_samples_without_survivor_are_counted():
    zero = Prior(RandomAttributions(seed=0))
    zero.explainer.forward = lambda scorer, inputs: torch.zeros_like(inputs)
    model = build(explainers={"zero": zero, **priors()}, quantile=1.0, without_survivor="drop")
    trainer = quiet_trainer()
    predictions = trainer.predict(model, DataLoader(rows(), batch_size=5))
    report = model.report
    assert report.samples == 12
    correlation = model.metrics.index("faithfulness_correlation")
    assert report.undefined[:, correlation].tolist() == [12, 0, 0, 0, 0, 0]
    without = torch.cat([each["without_survivor"] for each in predictions])
    survivors = torch.cat([each["survivors"] for each in predictions])
    assert 0 < report.without == int(without.sum()) == report.dropped
    assert report.survivors.tolist() == survivors.sum(dim=0).tolist()
    assert report.evaluations == sum(each["evaluations"] for each in predictions)
    text = report.to_table()
    assert f"{report.without} without survivor, of which {report.dropped} dropped" in text
    assert "evaluations of the model" in text

    kept = build(explainers={"zero": zero, **priors()}, quantile=1.0)
    quiet_trainer().predict(kept, DataLoader(rows(), batch_size=5))
    assert (kept.report.without, kept.report.dropped) == (report.without, 0)


def test_stored_subsets_are_those_of_the_loss_and_follow_no_order():
    loss = LocalCorrelationLoss("table", n_subsets=6)
    target = f()
    found = build(target, removals=loss, seed=3).predict_step(rows(), 0)
    expected = loss.evaluate(target, rows(), ColumnMasker(N), seed=3)
    for name, value in expected.as_dict().items():
        torch.testing.assert_close(found["removals"][name], value)
    with pytest.raises(ValueError, match="removals must not have laws that follow the order"):
        build(removals=LocalCorrelationLoss([CorrelationTerm(PrefixLaw())]))


def test_the_true_class_is_explained_on_request():
    target = torch.tensor([0, 1, 2] * 4)
    found = build(explained="true").predict_step((rows(), target), 0)
    assert torch.equal(found["target"], target)
    with pytest.raises(ValueError, match="batch must have a target"):
        build(explained="true").predict_step(rows(), 0)


def test_the_sets_run_on_tables_images_and_models_without_gradients():
    trainer = quiet_trainer()
    for name, count in (("default", 13), ("paper_table", 8)):
        model = PriorExplanations(f(), ColumnMasker(N), name, suite=small_suite)
        model.explainers.apply(
            lambda each: (
                each.fit_reference(rows().mean(dim=0), rows())
                if getattr(each, "awaits_training_data", False)
                else None
            )
        )
        (found,) = trainer.predict(model, DataLoader(rows(4), batch_size=4))
        assert found["saliency"].shape == (4, count, N)
        assert found["saliency"].isfinite().all()
    ensemble = pytest.importorskip("sklearn.ensemble")
    trees = ensemble.GradientBoostingClassifier(n_estimators=3)
    target = SklearnClassifier(trees).fit(rows(40), (rows(40)[:, 0] > 0).long())
    model = build(target, "model_free")
    (found,) = trainer.predict(model, DataLoader(rows(4), batch_size=4))
    assert found["saliency"].shape == (4, 6, N)


def test_the_image_set_of_the_paper_needs_a_layer_and_background_and_runs():
    class Network(nn.Module):  # Captum has no rule of LRP for Flatten
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, stride=6)
            self.relu = nn.ReLU()
            self.head = nn.Linear(2 * 10 * 10, 2)

        def forward(self, images):
            return self.head(self.relu(self.conv(images)).flatten(1))

    masker = PatchMasker(30)
    with pytest.raises(ValueError, match="layer must be given"):
        prior_set("paper_image", masker)
    images = torch.rand(2, 1, 60, 60)
    explainers = prior_set("paper_image", masker, layer="relu", background=torch.rand(3, 1, 60, 60))
    explainers["expected_gradients"].explainer.fit_reference(images.mean(dim=0), images)
    model = PriorExplanations(
        Network(),
        masker,
        explainers,
        suite=lambda masker, names: FaithfulnessSuite(masker, names, [Deletion(masker)]),
    )
    found = model.predict_step(images, 0)
    assert found["saliency"].shape == (2, 14, 4)
    assert found["saliency"].isfinite().all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"explainers": {}}, ValueError, "explainers must hold at least one explainer"),
        ({"explainers": []}, ValueError, "explainers must hold at least one explainer"),
        ({"explainers": {"a": 3}}, TypeError, r"explainers\['a'\] must be an Explainer, got int"),
        ({"explainers": [Gradient]}, TypeError, r"explainers\[0\] must be an Explainer"),
        ({"similarity": 2.0}, ValueError, "threshold must lie in"),
        ({"explained": "all"}, ValueError, "explained must be"),
        ({"target": 3}, TypeError, "target_model must be callable"),
    ],
)
def test_arguments_are_checked(change, error, message):
    with pytest.raises(error, match=message):
        build(**change)


@pytest.mark.parametrize("name", ["default", "paper_text"])
def test_texts_have_gradients_without_reference_data(name):
    torch.manual_seed(0)
    masker = TokenMasker(4, pad_token_id=0)
    classifier = TransformerTextClassifier(20, 2, max_tokens=8).eval()
    for parameter in classifier.parameters():
        parameter.requires_grad_(False)
    priors = {
        each: prior
        for each, prior in prior_set(name, masker).items()
        if each in ("expected_gradients", "gradient_shap", "integrated_gradients")
    }
    assert len(priors) == 2
    prior = PriorExplanations(classifier, masker, priors, suite=small_suite)
    ids = torch.tensor([[5, 6, 7, 8, 9], [9, 10, 0, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    found = quiet_trainer().predict(prior, DataLoader([batch], batch_size=None))[0]
    assert found["saliency"].isfinite().all()
    assert (found["saliency"][1, :, 2:] == 0).all()
