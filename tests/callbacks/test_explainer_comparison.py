"""The learned explainer among others, when its module is tested."""

import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.callbacks import ExplainerComparison
from pear_lightning.explainers import (
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Occlusion,
    Prior,
    RandomAttributions,
)
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics import FaithfulnessSuite, rank_explainers
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import (
    MLP,
    ExplainerMLP,
    ExplainerTransformer,
    TextTokens,
    TransformerTextClassifier,
)
from tests.modules.helpers import quiet_trainer

N = 5
MASKER = ColumnMasker(N)


def suite(masker, names):
    return FaithfulnessSuite(masker, names, n_subsets=10)


def build(**kwargs):
    torch.manual_seed(1)
    return DeepFaith(MLP(N, 3), ExplainerMLP(N, hidden_features=(8,)), MASKER, **kwargs)


def rows(count=20):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(0))


def ranked(model, explainers, data=None, **kwargs):
    data = DataLoader(rows(), batch_size=8) if data is None else data
    comparison = ExplainerComparison(explainers, suite=suite, n_resamples=20, **kwargs)
    trainer = quiet_trainer(callbacks=[comparison])
    logged = trainer.test(model, data, verbose=False)[0]
    return comparison.ranking, logged


def test_the_ranking_is_that_of_rank_explainers_for_the_predicted_class(capsys):
    explainers = {"product": InputXGradient(), "shap": KernelShap(masker=MASKER, seed=0)}
    model = build()
    ranking, logged = ranked(model, {name: Prior(each) for name, each in explainers.items()})
    control = {"random": RandomAttributions(seed=0, per_sample=True)}
    everyone = {"learned": model.explainer, **explainers, **control}
    expected = rank_explainers(
        model.target_model,
        rows().split(8),
        everyone,
        suite(MASKER, list(everyone)),
        n_resamples=20,
        progress=False,
    )
    assert ranking.explainers == expected.explainers
    torch.testing.assert_close(ranking.means, expected.means)
    torch.testing.assert_close(ranking.mean_rank, expected.mean_rank)
    assert logged["test_mean_rank"] == pytest.approx(expected.mean_rank[0].item())
    assert logged["test_place"] == 1 + expected.order.index(0)
    deletion = expected.metrics.index("deletion")
    assert logged["test_deletion"] == pytest.approx(expected.means[deletion, 0].item(), abs=1e-6)
    assert 0 < logged["test_loss"] < 1  # of the module itself
    assert ranking.to_table() in capsys.readouterr().out


def test_explainers_of_another_scalar_explain_it():
    priors = {"logit": Prior(IntegratedGradients()), "prob": Prior(IntegratedGradients(), "prob")}
    ranking, _ = ranked(build(), priors)
    assert (ranking.means[:, 1] != ranking.means[:, 2]).any()


def test_a_set_is_named_and_the_random_explainer_belongs_to_every_comparison():
    ranking, _ = ranked(build(), "model_free", name="ours")
    assert ranking.explainers[0] == "ours"
    assert ranking.explainers[-1] == "random"
    assert ranking.n_samples == 20


def test_explainers_can_be_a_list():
    ranking, _ = ranked(build(), [Prior(Occlusion(MASKER), "prob"), Occlusion(MASKER)])
    assert list(ranking.explainers) == ["learned", "occlusion", "occlusion_2", "random"]
    for wrong in ([], {}):
        with pytest.raises(ValueError, match="explainers must hold at least one explainer"):
            ExplainerComparison(wrong)
    with pytest.raises(TypeError, match=r"explainers\[1\] must be an Explainer, got MLP"):
        ExplainerComparison([Occlusion(MASKER), MLP(3)])


def test_each_loader_has_its_ranking(capsys):
    others = {"occlusion": Prior(Occlusion(MASKER))}
    comparison = ExplainerComparison(others, suite=suite, n_resamples=20)
    parts = rows()[:12], rows()[12:]
    loaders = [DataLoader(part, batch_size=8) for part in parts]
    model = build()
    logged = quiet_trainer(callbacks=[comparison]).test(model, loaders, verbose=False)
    printed = capsys.readouterr().out
    for number, part in enumerate(parts):
        alone, expected = ranked(model, others, data=DataLoader(part, batch_size=8))
        ranking = comparison.ranking_of(number)
        assert ranking.n_samples == len(part)
        torch.testing.assert_close(ranking.means, alone.means)
        for name in ("test_deletion", "test_mean_rank", "test_place"):
            value = logged[number][f"{name}/dataloader_idx_{number}"]
            assert value == pytest.approx(expected[name], abs=1e-6)
        assert f"data loader {number}" in printed
    assert comparison.ranking is comparison.ranking_of(0)
    with pytest.raises(RuntimeError, match="got none of data loader 2"):
        comparison.ranking_of(2)


def test_of_all_classes_the_predicted_one_is_explained():
    torch.manual_seed(1)
    network = ExplainerMLP(N, hidden_features=(8,), num_classes=3, per_class=True)
    model = DeepFaith(MLP(N, 3).eval(), network, MASKER, explained="all")
    others = {"occlusion": Prior(Occlusion(MASKER))}
    ranking, _ = ranked(model, others)
    target = model.target_model(rows()).argmax(dim=1)
    alone = suite(MASKER, None)
    alone.update(model.target_model, rows(), model.explainer.attributions((rows(), target)), target)
    for metric, value in alone.compute().items():
        found = ranking.means[ranking.metrics.index(metric), 0]
        assert found.item() == pytest.approx(value.item(), abs=1e-4)


def test_copies_of_a_sample_are_divided_into_passes():
    sizes = []
    network = nn.Linear(N, 3)

    def model(inputs):
        sizes.append(len(inputs))
        return network(inputs)

    trained = DeepFaith(model, ExplainerMLP(N), MASKER)
    shap = Prior(KernelShap(3000, masker=ColumnMasker(N, baseline="gaussian")))
    comparison = ExplainerComparison({"shap": shap}, suite=suite, n_resamples=10)
    wide = DataLoader(torch.randn(200, N), batch_size=200)
    quiet_trainer(callbacks=[comparison]).test(trained, wide, verbose=False)
    assert max(sizes) <= 2048


def test_texts_of_explainers_that_take_ids_and_of_gradients():
    torch.manual_seed(0)
    classifier = TransformerTextClassifier(20, 2, max_tokens=6).eval()
    masker = TokenMasker(4, pad_token_id=0)
    network = ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2)
    model = DeepFaith(classifier, network, masker)
    ids = torch.randint(5, 20, (4, 6))
    comparison = ExplainerComparison(
        {"product": Prior(InputXGradient())}, suite=suite, n_resamples=10
    )
    trainer = quiet_trainer(callbacks=[comparison])
    trainer.test(model, DataLoader([{"input_ids": ids}], batch_size=None), verbose=False)
    assert comparison.ranking.explainers == ("learned", "product", "random")


def test_other_modules_are_refused():
    comparison = ExplainerComparison()
    with pytest.raises(RuntimeError, match="a test must have been run"):
        _ = comparison.ranking
    with pytest.raises(TypeError, match="must be an AmortizedModule"):
        quiet_trainer(callbacks=[comparison]).test(BoringModel(), verbose=False)
    with pytest.raises(ValueError, match="name must differ"):
        ranked(build(), {"learned": Prior(InputXGradient())})
