"""Rows near the largest number of their dtype: sums and differences stay finite."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pear_lightning.functional import (
    area_under_curve,
    faithfulness_correlation,
    masked_pearson,
    masked_spearman,
    max_sensitivity,
    mean_drop,
    monotonicity_correlation,
    pearson,
    relevance_mass_accuracy,
    soft_spearman,
    spearman,
    standardize,
)
from pear_lightning.functional.headroom import headroom

LARGEST = torch.finfo(torch.float32).max
EXTREME = torch.tensor([[3e38, -3e38, 0.0, 1.0], [LARGEST, -LARGEST, LARGEST, 0.0]])
PRESENT = torch.tensor([[True, True, True, True], [True, True, False, True]])


def as_float64(function: Any, *rows: Tensor) -> Tensor:
    found: Tensor = function(*(row.double() for row in rows))
    return found.float()


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: pearson(a, b),
        lambda a, b: pearson(b, a),
        lambda a, b: spearman(a, b),
        lambda a, b: standardize(a),
        lambda a, b: soft_spearman(a, b),
        lambda a, b: masked_pearson(a, b, PRESENT).values,
        lambda a, b: masked_spearman(a, b, PRESENT).values,
        lambda a, b: faithfulness_correlation(a, b).values,
        lambda a, b: monotonicity_correlation(a, b, PRESENT).values,
        lambda a, b: relevance_mass_accuracy(a, PRESENT).values,
        lambda a, b: max_sensitivity(a, -0.9 * a[:, None]).values,
        lambda a, b: max_sensitivity(a, torch.stack([a.flip(1), b], dim=1)).values,
        lambda a, b: area_under_curve(a, torch.linspace(0, 1, 4).to(a)).values,
        lambda a, b: mean_drop(a.flip(1), torch.linspace(0, 1, 4).to(a)).values,
    ],
)
def test_extreme_rows_have_the_values_of_float64(function: Any) -> None:
    torch.manual_seed(0)
    b = torch.randn(2, 4)
    found = function(EXTREME, b)
    assert found.isfinite().all()
    torch.testing.assert_close(found, as_float64(function, EXTREME, b), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_gradients_of_extreme_rows_are_finite(graph: bool) -> None:
    a, b = EXTREME.clone().requires_grad_(), torch.randn(2, 4)
    (gradient,) = torch.autograd.grad(pearson(a, b).sum(), a, create_graph=graph)
    wide = EXTREME.double().requires_grad_()
    (wanted,) = torch.autograd.grad(pearson(wide, b.double()).sum(), wide)
    assert gradient.isfinite().all()
    torch.testing.assert_close(gradient * 1e38, wanted.float() * 1e38, rtol=1e-3, atol=1e-3)


def test_factors_are_exact() -> None:
    x = torch.tensor([[1e30, 3.0], [-LARGEST, 1e-3], [0.0, 0.0]])
    torch.testing.assert_close(headroom(x), torch.tensor([[2.0**-32], [2.0**-32], [1.0]]))
    torch.testing.assert_close((x * headroom(x)) / headroom(x), x, rtol=0, atol=0)
    assert headroom(x, (0, 1)).shape == (1, 1)
    assert (headroom(torch.full((1, 2**10), LARGEST)) * LARGEST * 2**10).isfinite()
