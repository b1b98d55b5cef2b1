"""Sums of floats of any size: exact in any order, and means that are rounded once."""

import math
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from pear_lightning.metrics.exact_sum import N_LIMBS, as_float32, exact_means, exact_sums

LARGEST = torch.finfo(torch.float64).max
SMALLEST = math.ulp(0.0)


def mean_of(values: Tensor) -> float:
    return float(exact_means(exact_sums("values", values), torch.tensor(len(values))))


def true_mean(values: Tensor) -> float:
    return float(sum(map(Fraction, values.tolist()), Fraction()) / len(values))


def test_numbers_of_every_size() -> None:
    torch.manual_seed(0)
    mantissa = torch.randn(2000, dtype=torch.float64)
    values = torch.ldexp(mantissa, torch.randint(-1074, 1020, (2000,)))
    assert mean_of(values) == true_mean(values)
    for exponent in (-1074, -60, 0, 60, 1020):
        some = torch.ldexp(mantissa, torch.tensor(exponent))
        assert mean_of(some) == true_mean(some)


@pytest.mark.parametrize("value", [0.0, LARGEST, -LARGEST, SMALLEST, -SMALLEST, 0.1, -1.6e17])
def test_one_number_many_times(value: float) -> None:
    values = torch.full((100,), value, dtype=torch.float64)
    assert mean_of(values) == value
    assert mean_of(torch.cat([values, -values])) == 0


def test_sums_do_not_depend_on_batches_or_order() -> None:
    values = torch.tensor([1e300, 1.0, -1e300, 1e-300, 2.0**-50, -7.0], dtype=torch.float64)
    together = exact_sums("values", values)
    apart = torch.stack([exact_sums("values", each[None]) for each in values.flip(0)]).sum(dim=0)
    assert exact_means(together, torch.tensor(1)) == exact_means(apart, torch.tensor(1))
    assert torch.equal(exact_sums("values", values.flip(0)), together)


def test_shapes_and_dtypes() -> None:
    values = torch.rand(2, 3, 5)
    sums = exact_sums("values", values)
    assert sums.shape == (2, 3, N_LIMBS)
    assert sums.dtype == torch.long
    expected = values.double().mean(dim=-1)
    torch.testing.assert_close(exact_means(sums, torch.tensor(5)), expected, rtol=1e-15, atol=0)
    nothing = exact_sums("values", torch.zeros(2, 0))
    assert torch.equal(nothing, torch.zeros(2, N_LIMBS, dtype=torch.long))
    assert exact_means(nothing, torch.tensor(0)).isnan().all()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_has_no_mean(value: float) -> None:
    with pytest.raises(ValueError, match="values must be finite"):
        exact_sums("values", torch.tensor([1.0, value]))


def test_float32_if_it_fits() -> None:
    assert as_float32(torch.tensor(3.0, dtype=torch.float64)).dtype == torch.float32
    large = torch.tensor(1e39, dtype=torch.float64)
    assert as_float32(large) is large
