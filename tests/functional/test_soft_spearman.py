import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from pear_lightning.functional import pearson, soft_rank, soft_rank_saliency, soft_spearman
from tests.functional.test_correlation import A, B
from tests.reference.consensus import consensus
from tests.reference.correlation import spearman as scipy_spearman


def test_golden_values_of_the_paper_setting() -> None:
    found = soft_spearman(A, B, normalize="none")
    torch.testing.assert_close(found, torch.tensor([0.916515, 0.6]), rtol=0, atol=1e-6)
    hard = soft_spearman(A, B, strength=1e-3)
    torch.testing.assert_close(hard, torch.tensor([0.8, 0.6]))


@pytest.mark.parametrize(
    ("spearman_weight", "expected"),
    [(0, 0.149932), (0.5, 0.135402), (0.75, 0.128136), (1, 0.120871)],
)
def test_golden_consensus(spearman_weight: float, expected: float) -> None:
    losses = consensus(A, B, spearman_weight)
    assert math.isclose(sum(losses) / 2, expected, abs_tol=1e-6)
    disagreement = (1 - soft_spearman(A, B, normalize="none")) / 2
    ours = spearman_weight * disagreement + (1 - spearman_weight) * (1 - pearson(A, B)) / 2
    torch.testing.assert_close(ours, torch.tensor(losses))


@pytest.mark.parametrize("n", [8, 40])
def test_limits(n: int) -> None:
    a, b = torch.randn(2, 6, n, dtype=torch.float64).unbind()
    hard = soft_spearman(a, b, strength=1e-6)
    torch.testing.assert_close(hard, scipy_spearman(a.abs(), b.abs()))
    linear = soft_spearman(a, b, strength=2 / n)
    torch.testing.assert_close(linear, pearson(a.abs(), b.abs()))


def test_default_strengths() -> None:
    a = torch.randn(3, 8)
    saliency = a.abs() / a.abs().amax(dim=-1, keepdim=True)
    torch.testing.assert_close(soft_rank_saliency(a), soft_rank(saliency, 0.05))
    torch.testing.assert_close(soft_rank_saliency(a, "none"), soft_rank(a.abs(), 0.2))


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e4, 1e30])
def test_normalized_rows_have_no_scale(scale: float) -> None:
    a, b = torch.randn(2, 4, 8).unbind()
    torch.testing.assert_close(soft_spearman(a * scale, b), soft_spearman(a, b))


def test_signs_play_no_role() -> None:
    a, b = torch.randn(2, 4, 8).unbind()
    torch.testing.assert_close(soft_spearman(a, -a), torch.ones(4))
    torch.testing.assert_close(soft_spearman(a, b), soft_spearman(b, a.abs()))


@pytest.mark.parametrize("normalize", ["max", "none"])
def test_rows_without_a_ranking(normalize: str) -> None:
    a, b = torch.randn(2, 5, 8).unbind()
    a[0], a[2], a[3, :4] = 0, torch.tensor([1.0, -1.0] * 4), 0.5
    others = torch.tensor([1, 4])
    expected = soft_spearman(a[others], b[others], normalize=normalize)
    a.requires_grad_()
    found = soft_spearman(a, b, normalize=normalize)
    assert found[0] == found[2] == 0
    torch.testing.assert_close(found[others], expected)
    found.sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
    assert torch.equal(a.grad[[0, 2]], torch.zeros(2, 8))


def test_derivatives() -> None:
    a, b = (torch.randn(2, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))

    # the row maximum is a constant to autograd, so differentiate the function that has it constant
    def with_strength(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return soft_spearman(a, b, normalize="none", strength=0.31)

    assert gradcheck(with_strength, (a, b))
    assert gradgradcheck(with_strength, (a, b))


def test_second_derivative_through_a_model() -> None:
    # what a training step does: the explanation is itself a gradient
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(3, 5, dtype=torch.float64)
    other = torch.randn(3, 5, dtype=torch.float64)

    def loss(weight: torch.Tensor) -> torch.Tensor:
        x = inputs.clone().requires_grad_()
        output = (torch.tanh(x * weight).sum(-1) ** 2).sum()
        (attributions,) = torch.autograd.grad(output, x, create_graph=True)
        return soft_spearman(attributions, other, normalize="none", strength=0.7).mean()

    assert gradcheck(loss, (weight,))


def test_compile_and_vmap() -> None:
    a, b = torch.randn(2, 4, 6).unbind()
    compiled = torch.compile(soft_spearman, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(a, b), soft_spearman(a, b))
    torch.testing.assert_close(torch.func.vmap(soft_spearman)(a, b), soft_spearman(a, b))


def test_errors() -> None:
    with pytest.raises(ValueError, match="a must be finite, got 1 NaN"):
        soft_spearman(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"normalize must be one of .*, got 'sum'"):
        soft_spearman(A, B, normalize="sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="strength must be positive and finite, got 0"):
        soft_spearman(A, B, strength=0)
