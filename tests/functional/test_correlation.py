import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from pear_lightning.functional import constant_rows, pearson, spearman, standardize
from tests.reference import correlation as reference

A = torch.tensor([[0.1, -0.2, 0.9, 0.3], [2, -1, 0.5, 0.25]])
B = torch.tensor([[0.2, 0.1, 0.75, -0.4], [1, -3, 0.5, 0.75]])


def test_golden_pearson() -> None:
    expected = torch.tensor([0.572578, 0.827693])
    torch.testing.assert_close(pearson(A, B), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale_a", [1e-30, 1e-3, 1.0, 1e30])
@pytest.mark.parametrize("scale_b", [1e-38, 1.0, 1e37])
def test_any_scale(scale_a: float, scale_b: float) -> None:
    a, b = torch.randn(2, 5, 9).unbind()
    expected = [reference.pearson(*pair) for pair in zip(a.tolist(), b.tolist(), strict=True)]
    found = pearson(a * scale_a, b * scale_b)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-5)


def test_small_differences_on_a_large_offset() -> None:
    a = 1000 + torch.tensor([[0.0, 1.0, 2.0, 4.0]]) / 1024  # exact in float32
    b = torch.tensor([[3.0, 1.0, 0.0, 2.0]])
    torch.testing.assert_close(pearson(a, b), pearson((a - 1000) * 1024, b))


@pytest.mark.parametrize("value", [0.0, 1.0, -3e-20, 0.1])
def test_constant_row_has_correlation_and_gradient_zero(value: float) -> None:
    a = torch.randn(3, 7)
    a[1] = value
    a.requires_grad_()
    b = torch.randn(3, 7, requires_grad=True)
    result = pearson(a, b)
    assert result[1] == 0
    assert (result[[0, 2]] != 0).all()
    result.sum().backward()
    for each in (a, b):
        assert each.grad is not None
        assert each.grad.isfinite().all()
        assert torch.equal(each.grad[1], torch.zeros(7))
        assert (each.grad[[0, 2]] != 0).any()
    assert constant_rows(a).tolist() == [False, True, False]
    assert torch.equal(spearman(a, b)[1], torch.tensor(0.0))


def test_derivatives() -> None:
    a, b = (torch.randn(3, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(pearson, (a, b))
    assert gradgradcheck(pearson, (a, b))


def test_spearman_equals_scipy_with_ties() -> None:
    a, b = torch.randint(-3, 4, (2, 20, 8)).double().unbind()
    torch.testing.assert_close(spearman(a, b), reference.spearman(a, b))


def test_products_of_standardized_rows_are_correlations() -> None:
    a, b = torch.randn(2, 4, 3, 6).unbind()
    torch.testing.assert_close((standardize(a) * standardize(b)).sum(-1), pearson(a, b))
    torch.testing.assert_close(pearson(a, 2 * a + 3), torch.ones(4, 3))
    torch.testing.assert_close(pearson(a, -a), -torch.ones(4, 3))


def test_rows_do_not_influence_each_other() -> None:
    a, b = torch.randn(2, 5, 6).unbind()
    a[3] = 0
    each = torch.stack([pearson(*pair) for pair in zip(a, b, strict=True)])
    torch.testing.assert_close(pearson(a, b), each, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_and_autocast(dtype: torch.dtype) -> None:
    a, b = torch.randn(2, 4, 50).to(dtype).unbind()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = pearson(a, b)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, pearson(a.double(), b.double()).float())


def test_compile_and_vmap() -> None:
    a, b = torch.randn(2, 4, 6).unbind()
    compiled = torch.compile(pearson, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(a, b), pearson(a, b))
    torch.testing.assert_close(torch.func.vmap(pearson)(a, b), pearson(a, b))


def test_n_of_one_and_empty_batch() -> None:
    assert torch.equal(pearson(torch.rand(3, 1), torch.rand(3, 1)), torch.zeros(3))
    assert pearson(torch.rand(0, 4), torch.rand(0, 4)).shape == (0,)


def test_errors_name_the_tensor() -> None:
    def bad(x: Tensor) -> Tensor:
        return x.index_fill(-1, torch.tensor([0]), torch.nan)

    with pytest.raises(ValueError, match="b must be finite, got 2 NaN"):
        pearson(A, bad(B))
    with pytest.raises(
        ValueError, match=r"a and b must have the same shape, got \(2, 4\) and \(2, 3\)"
    ):
        spearman(A, B[:, :3])
