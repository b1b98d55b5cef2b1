"""Losses that reduce over ranks do so in training only."""

import pytest
import torch
from torch import distributed, nn

from pear_lightning.explainers import Gradient
from pear_lightning.losses import (
    DeepLassoLoss,
    ExplanationLoss,
    GraphSmoothnessPrior,
    RightReasonsLoss,
    SparsityPrior,
    XGradientPrior,
)
from pear_lightning.losses.mean_over_ranks import mean_over_ranks
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP
from tests.ddp import run_distributed

GRADIENT = {"gradient": Gradient()}
LOSSES = {
    "mask": RightReasonsLoss(reduction="mask"),
    "sparsity": SparsityPrior(GRADIENT),
    "graph": GraphSmoothnessPrior([(0, 1), (2, 4)], explainers=GRADIENT),
    "deep lasso": DeepLassoLoss(),
    "x gradient": XGradientPrior(SparsityPrior(GRADIENT)),
}


def batches_of(rank: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return three batches for the first rank and four for the second."""
    generator = torch.Generator().manual_seed(rank)
    x = torch.rand(4 * (3 + rank), 5, generator=generator)
    mask = (torch.rand(x.shape, generator=generator) > 0.5).float()
    parts = (x, (x[:, 0] > 0.5).long(), mask)
    return list(zip(*(part.split(4) for part in parts), strict=True))


def evaluate(loss: ExplanationLoss, rank: int) -> list[float]:
    torch.manual_seed(0)
    bias_free = nn.Sequential(nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 2, bias=False))
    module = RightForTheRightReasons(bias_free, loss=loss).eval()
    with torch.no_grad():
        return [
            module.objective.of_model(module.backbone, module.batch_of(batch))[1].item()
            for batch in batches_of(rank)
        ]


def evaluate_on_rank(rank: int, world_size: int, name: str) -> tuple[list[float], int]:
    values = evaluate(LOSSES[name], rank)
    ones = torch.ones(1)
    distributed.all_reduce(ones)  # would pair with a reduction that the other rank does not make
    return values, int(ones)


@pytest.mark.ddp
@pytest.mark.parametrize("name", LOSSES)
def test_evaluation_takes_local_values(name: str) -> None:
    results = run_distributed(evaluate_on_rank, name)
    for rank, (values, ranks) in enumerate(results):
        assert values == pytest.approx(evaluate(LOSSES[name], rank))
        assert ranks == 2


def penalty_of_chunks(rank: int, world_size: int) -> float:
    torch.manual_seed(0)
    model, x, y = MLP(5), torch.randn(32, 5), torch.randint(2, (32,))
    return DeepLassoLoss().of_model(model, (x[rank::world_size], y[rank::world_size]))[1].item()


@pytest.mark.ddp
def test_deep_lasso_does_not_depend_on_the_number_of_devices() -> None:
    alone = penalty_of_chunks(0, 1)
    assert run_distributed(penalty_of_chunks) == pytest.approx([alone, alone], rel=1e-5)


def test_means_over_two_ranks_and_the_gradient_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "all_reduce", lambda total: total.add_(4.0))
    value = torch.tensor([2.0, 8.0], requires_grad=True)
    mean = mean_over_ranks(value, 2)
    assert mean.tolist() == [3.0, 6.0]
    assert torch.autograd.grad(mean.sum(), value)[0].tolist() == [1.0, 1.0]


def test_ones_of_the_other_rank_count_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "all_reduce", lambda sums: sums.add_(torch.tensor([6.0, 3.0])))
    model, loss = MLP(5), RightReasonsLoss(reduction="mask")
    batch = torch.randn(4, 5), torch.randint(2, (4,)), torch.eye(4, 5)
    local = loss.of_model(model, batch)[1]
    monkeypatch.setattr(RightReasonsLoss, "ranks", 2)
    of_both = loss.of_model(model, batch)[1]
    torch.testing.assert_close(of_both, (4 * local + 6) / (4 + 3))
