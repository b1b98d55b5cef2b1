"""Rows divided by their largest absolute value, and their bounded gradient."""

import math

import pytest
import torch
from torch.func import grad

from pear_lightning.functional.correlation import standardize
from pear_lightning.functional.unit_rows import saturated_rows, unit_rows

FLOORS = {dtype: math.sqrt(torch.finfo(dtype).tiny) for dtype in (torch.float32, torch.float64)}


@pytest.mark.parametrize("dtype", FLOORS)
@pytest.mark.parametrize("exponent", [-30, -10, 0, 10, 30])
def test_rows_have_a_largest_entry_of_one(dtype: torch.dtype, exponent: int) -> None:
    rows = torch.randn(20, 7, dtype=dtype, generator=torch.Generator().manual_seed(0))
    rows = rows * 10.0**exponent
    unit = unit_rows(rows)
    assert unit.dtype == dtype
    torch.testing.assert_close(unit.abs().amax(-1), torch.ones(20, dtype=dtype), rtol=0, atol=0)
    torch.testing.assert_close(unit * rows.abs().amax(-1, keepdim=True), rows)


@pytest.mark.parametrize("dtype", FLOORS)
def test_gradient_is_bounded_below_the_floor_only(dtype: torch.dtype) -> None:
    floor = FLOORS[dtype]
    sizes = torch.tensor([1e3, 1.0, 2 * floor, floor / 2, floor / 1e6, 0.0], dtype=dtype)
    rows = (sizes[:, None] * torch.tensor([0.5, -1.0, 0.25], dtype=dtype)).requires_grad_()
    weights = torch.tensor([2.0, 3.0, -1.0], dtype=dtype)
    (gradient,) = torch.autograd.grad((unit_rows(rows) * weights).sum(), rows)
    divisor = sizes.clamp(min=floor)[:, None]
    expected = (weights / divisor).masked_fill(sizes[:, None] == 0, 0)
    torch.testing.assert_close(gradient, expected)
    assert saturated_rows(rows).tolist() == [False, False, False, True, True, True]


def test_a_transform_gives_the_same_values_and_gradients() -> None:
    rows = torch.tensor([[3.0, -4.0], [1e-30, 2e-30], [0.0, 0.0]])
    weights = torch.tensor([1.0, 5.0])
    leaf = rows.clone().requires_grad_()
    (eager,) = torch.autograd.grad((unit_rows(leaf) * weights).sum(), leaf)
    traced = grad(lambda each: (unit_rows(each) * weights).sum())(rows)
    torch.testing.assert_close(traced, eager)
    torch.testing.assert_close(torch.func.vmap(unit_rows)(rows), unit_rows(rows), rtol=0, atol=0)


@pytest.mark.parametrize("magnitude", [1e-25, 1.0, 1e25])
def test_standardized_rows_do_not_depend_on_the_division(magnitude: float) -> None:
    """In value and in gradient, for rows of any scale and for rows that hardly vary."""
    rows = torch.randn(30, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows[10:20] = 1 + 1e-7 * rows[10:20]
    rows[20] = 3.0
    rows = (magnitude * rows).requires_grad_()
    weights = torch.randn(30, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    results = [standardize(unit_rows(rows), any_scale=False), standardize(rows)]
    torch.testing.assert_close(*results, rtol=1e-7, atol=1e-7)
    gradients = [torch.autograd.grad((each * weights).sum(), rows)[0] for each in results]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-7 / magnitude)
    assert not gradients[0][20].any()
