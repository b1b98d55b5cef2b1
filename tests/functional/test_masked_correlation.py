from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.functional import masked_pearson, masked_spearman, pearson, spearman

FUNCTIONS = pytest.mark.parametrize(
    ("masked", "plain"), [(masked_pearson, pearson), (masked_spearman, spearman)]
)


@FUNCTIONS
@given(seed=st.integers(0, 10**6), n=st.integers(2, 9), ties=st.booleans())
@settings(max_examples=50, deadline=None)
def test_absent_entries_are_as_if_they_were_not_there(
    masked: Any, plain: Any, seed: int, n: int, ties: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 6, n, generator=generator, dtype=torch.float64).unbind()
    if ties:
        a, b = a.round(), b.round()
    present = torch.rand(6, n, generator=generator) < 0.7
    garbage = a.masked_fill(~present, torch.nan), b.masked_fill(~present, torch.inf)
    values, undefined = masked(*garbage, present)
    for value, missing, x, y, here in zip(values, undefined, a, b, present, strict=True):
        x, y = x[here], y[here]
        if here.sum() < 2 or len(x.unique()) == 1 or len(y.unique()) == 1:
            assert missing
            assert value == 0
        else:
            assert not missing
            torch.testing.assert_close(value, plain(x, y))


@FUNCTIONS
def test_everything_present(masked: Any, plain: Any) -> None:
    a, b = torch.randn(2, 5, 8).unbind()
    torch.testing.assert_close(masked(a, b).values, plain(a, b))
    all_of_them = torch.ones(5, 8, dtype=torch.bool)
    torch.testing.assert_close(masked(a, b, all_of_them), masked(a, b))


@FUNCTIONS
def test_scale_and_offset(masked: Any, plain: Any) -> None:
    a, b = torch.randn(2, 5, 8).unbind()
    present = torch.rand(5, 8) < 0.8
    for scale in (1e-30, 1e30):
        torch.testing.assert_close(
            masked(a * scale, b, present).values, masked(a, b, present).values
        )
        torch.testing.assert_close(
            masked(a, -b * scale, present).values, -masked(a, b, present).values
        )
    torch.testing.assert_close(
        masked((a + 100).double(), b, present).values.float(),
        masked(a, b, present).values,
        rtol=1e-4,
        atol=1e-4,
    )


@FUNCTIONS
def test_differences_of_rounding_are_constant(masked: Any, plain: Any) -> None:
    b = torch.randn(1, 50)
    tenths = torch.full((1, 300), 0.1)
    order = torch.stack([tenths[0, : 100 + k].sum() - 0.1 * k for k in range(50)])[None]
    assert len(order.unique()) > 1
    result = masked(order, b)
    assert result.undefined.all()
    assert (result.values == 0).all()
    assert masked(b, order).undefined.all()
    assert not masked(1 + 1e-5 * b, b).undefined.any()


@FUNCTIONS
def test_precision_and_batch_independence(masked: Any, plain: Any) -> None:
    a, b = torch.randn(2, 5, 8).bfloat16().unbind()
    present = torch.rand(5, 8) < 0.8
    with torch.autocast("cpu", dtype=torch.bfloat16):
        together = masked(a, b, present)
    assert together.values.dtype == torch.float32
    exact = masked(a.double(), b.double(), present).values
    assert exact.dtype == torch.float64
    torch.testing.assert_close(together.values, exact.float())
    alone = [masked(*each) for each in zip(a[:, None], b[:, None], present[:, None], strict=True)]
    assert torch.equal(together.values, torch.cat([each.values for each in alone]))
    assert torch.equal(together.undefined, torch.cat([each.undefined for each in alone]))


def test_gradient_reaches_what_is_present_only() -> None:
    a, b = torch.randn(2, 3, 6, dtype=torch.float64).unbind()
    present = torch.tensor([[True] * 4 + [False] * 2] * 2 + [[False] * 6])
    a[1] = 5
    a.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: masked_pearson(x, b, present).values[:1], (a,))
    (gradient,) = torch.autograd.grad(masked_pearson(a, b, present).values.sum(), a)
    assert (gradient[0, :4] != 0).all()
    assert (gradient[0, 4:] == 0).all()
    assert (gradient[1:] == 0).all()


@FUNCTIONS
def test_errors_name_the_argument(masked: Any, plain: Any) -> None:
    a = torch.randn(2, 3)
    names = {"names": ("saliency", "drops")}
    with pytest.raises(ValueError, match="drops must be finite, got 6 NaN"):
        masked(a, a * torch.nan, **names)
    with pytest.raises(ValueError, match="saliency and drops must have the same shape"):
        masked(a[:, :2], a, **names)
    with pytest.raises(TypeError, match="drops must be floating-point"):
        masked(a, a.long(), **names)
    with pytest.raises(TypeError, match="present must be bool"):
        masked(a, a, a)
    with pytest.raises(ValueError, match="present and a must have the same shape"):
        masked(a, a, a[:1] > 0)


@FUNCTIONS
def test_empty_batch(masked: Any, plain: Any) -> None:
    result = masked(torch.zeros(0, 3), torch.zeros(0, 3))
    assert result.values.shape == result.undefined.shape == (0,)
