import re
import sys

import pytest
import torch
from rich.progress import Progress
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from pear_lightning.explainers import (
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Occlusion,
    RandomAttributions,
)
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.metrics import FaithfulnessSuite, rank_explainers
from pear_lightning.scoring.progress import counted_evaluations

EXPLAINERS = {
    "random": RandomAttributions(seed=0),
    "input x gradient": InputXGradient(),
    "gradient": Gradient(),
    "integrated gradients": IntegratedGradients(20),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3))


def suite() -> FaithfulnessSuite:
    return FaithfulnessSuite(ColumnMasker(6), list(EXPLAINERS), n_subsets=20, subset_size=2)


def rank(model, batches, **options):
    options = {"progress": False, "n_resamples": 200, **options}
    return rank_explainers(model, batches, options.pop("explainers", EXPLAINERS), **options)


def rows(size: int = 40) -> Tensor:
    return torch.randn(size, 6, generator=torch.Generator().manual_seed(1))


def test_contributions_come_before_slopes_and_chance():
    ranking = rank(network(), [rows(200)], suite=suite())
    order = [ranking.explainers[e] for e in ranking.order]
    assert order[:2] == ["integrated gradients", "input x gradient"]
    assert ranking.n_samples == 200
    assert dict(zip(ranking.metrics, ranking.higher_is_better.tolist(), strict=True)) == {
        name: name not in ("deletion", "positive_perturbation", "infidelity")
        for name in ranking.metrics
    }


def test_the_truth_of_a_linear_model_is_first_by_every_metric():
    model = nn.Linear(6, 1, bias=False)
    explainers = {"truth": InputXGradient(), "random": RandomAttributions(seed=0)}
    logits = FaithfulnessSuite(ColumnMasker(6), list(explainers), output="logit", subset_size=2)
    del logits.metrics["irof"]  # a ratio of logits means nothing
    ranking = rank(model, [rows()], explainers=explainers, suite=logits)
    assert ranking.ranks.tolist() == [[1, 2]] * 9


def test_portions_of_the_samples_do_not_matter():
    model, inputs = network(), rows()
    whole = rank(model, [inputs], suite=suite())
    portions = rank(model, inputs.split(7), suite=suite(), points_per_pass=3)
    torch.testing.assert_close(portions.means, whole.means, rtol=1e-5, atol=1e-6)
    assert torch.equal(portions.ranks, whole.ranks)
    assert torch.equal(portions.interval, whole.interval)


def test_the_model_is_explained_as_it_is_used_and_left_as_it_was():
    model = network().train()
    ranking = rank(model, [rows()], suite=suite())
    assert all(module.training for module in model.modules())
    assert torch.equal(ranking.means, rank(model.eval(), [rows()], suite=suite()).means)


def test_a_masker_stands_for_the_suite_with_its_defaults():
    ranking = rank(network(), [rows()], suite=ColumnMasker(6))
    assert ranking.explainers == tuple(EXPLAINERS)
    assert len(ranking.metrics) == 10


def test_the_label_is_explained_if_asked_for():
    model, inputs = network(), rows()
    predicted = model.eval()(inputs).argmax(dim=1)
    loader = DataLoader(TensorDataset(inputs, (predicted + 1) % 3), batch_size=16)
    by_label = rank(model, loader, suite=suite(), target="label")
    by_prediction = rank(model, loader, suite=suite())
    deletion = by_label.metrics.index("deletion")
    assert (by_label.means[deletion] < by_prediction.means[deletion]).all()
    agreeing = rank(model, [(inputs, predicted)], suite=suite(), target="label")
    torch.testing.assert_close(agreeing.means, by_prediction.means, rtol=1e-5, atol=1e-6)


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.output = nn.Linear(4, 16), nn.Linear(16, 2)

    def forward(self, inputs: Tensor, attention_mask: Tensor) -> Tensor:
        return self.output((self.hidden(inputs).tanh() * attention_mask[..., None]).sum(dim=1))


def test_keyword_arguments_reach_model_and_masker():
    inputs = torch.randn(20, 5, 4, generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(5) < torch.randint(2, 6, (20, 1))).long()
    texts = {"inputs": inputs, "attention_mask": mask}
    noise = inputs + 9 * (1 - mask[..., None])  # where there is padding
    noisy = {"inputs": noise, "attention_mask": mask, "target": torch.zeros(20).long()}
    results = [
        rank(Text(), [batch], suite=TokenMasker(n_tokens=5)).means[:, 1:]
        for batch in (texts, noisy)
    ]
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-5)


def test_a_list_of_explainers_is_named_after_its_classes():
    pair = {"gradient": Gradient(), "input_x_gradient": InputXGradient()}
    listed, named = (
        rank(network(), [rows()], explainers=each, suite=ColumnMasker(6))
        for each in (list(pair.values()), pair)
    )
    assert listed.explainers == named.explainers
    assert torch.equal(listed.means, named.means)
    with pytest.raises(TypeError, match=r"explainers must be explainers by name, .* got Gradient"):
        rank(network(), [rows()], explainers=Gradient(), suite=ColumnMasker(6))


class Stream(IterableDataset):
    """Samples whose number is not known before they are read."""

    def __iter__(self):
        return iter(rows(12))


@pytest.mark.parametrize("batches", [
    lambda: DataLoader(Stream(), batch_size=5), lambda: (each for each in rows(12).split(5))
])  # fmt: skip
def test_the_number_of_batches_need_not_be_known(batches):
    found = rank(network(), batches(), suite=suite(), progress=True, n_resamples=10)
    wanted = rank(network(), rows(12).split(5), suite=suite(), n_resamples=10)
    torch.testing.assert_close(found.mean_rank, wanted.mean_rank)


def test_progress_bars_of_ranking_and_suite_do_not_collide():
    showing = FaithfulnessSuite(ColumnMasker(6), list(EXPLAINERS), subset_size=2, progress=True)
    for batches in ([rows(4)], iter([rows(4)])):  # of known and of unknown length
        for each in (suite(), showing):
            assert rank(network(), batches, suite=each, progress=True).n_samples == 4
            batches = [rows(4)]


def test_the_bar_estimates_the_evaluations_of_the_model(monkeypatch):
    descriptions = []

    class Recorded(Progress):
        def update(self, task_id, **changes):
            descriptions.append(changes["description"])
            super().update(task_id, **changes)

    module = sys.modules["pear_lightning.metrics.faithfulness.rank_explainers"]
    monkeypatch.setattr(module, "Progress", Recorded)
    with counted_evaluations() as count:
        rank(network(), list(rows(12).split(4)), suite=suite(), progress=True)
    first, _, last = descriptions
    assert count.evaluations == 0  # counted by the ranking itself
    done, total = re.fullmatch(
        r"ranking explainers, ([\d,]+) of about ([\d,]+) model evaluations", first
    ).groups()
    assert int(total.replace(",", "")) == 3 * int(done.replace(",", ""))
    assert last == f"ranking explainers, {total} model evaluations"


@pytest.mark.parametrize(
    ("batches", "options", "message"),
    [
        ([], {}, "at least one batch"),
        ([rows()], {"target": "label"}, "must have labels for target='label'"),
        ([rows()], {"target": "truth"}, "target must be one of .*, got 'truth'"),
        ([{"x": rows()}], {}, "one of the keys .'inputs'"),
        ([["a text"]], {}, "begin with the inputs"),
        (
            [rows()],
            {"explainers": {"gradient": Gradient()}},
            "suite must have the names of the explainers",
        ),
    ],
)
def test_what_cannot_be_ranked_is_refused(batches, options, message):
    with pytest.raises(ValueError, match=message):
        rank(network(), batches, suite=suite(), **options)


@pytest.mark.gpu
def test_batches_follow_the_model_to_its_device():
    ranking = rank(network().cuda(), [rows()], suite=suite())
    expected = rank(network(), [rows()], suite=suite())
    torch.testing.assert_close(ranking.means[:, 1:], expected.means[:, 1:], rtol=1e-3, atol=1e-4)


class Once(torch.autograd.Function):
    """A function without a second derivative."""

    @staticmethod
    def forward(ctx, inputs):
        return inputs.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient.clone()


@pytest.mark.filterwarnings("ignore:torch.func.vjp cannot differentiate Model")
def test_no_graph_is_kept_and_no_second_derivative_is_needed() -> None:
    net, graphs = network(), []

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, inputs: Tensor) -> Tensor:
            graphs.append(torch.is_grad_enabled())
            return self.net(Once.apply(inputs))

    rows = DataLoader(TensorDataset(torch.randn(8, 6), torch.arange(8) % 3), batch_size=4)
    shap = {"shap": KernelShap(seed=0), "occlusion": Occlusion()}
    rank_explainers(Model(), rows, shap, ColumnMasker(6), n_resamples=10)
    assert not any(graphs)
    gradients = {"gradient": Gradient(), "product": InputXGradient()}
    ranking = rank_explainers(Model(), rows, gradients, ColumnMasker(6), n_resamples=10)
    assert ranking.n_samples == 8
