"""Parity with torchsort, the compiled implementation; skipped where it is not installed."""

import pytest
import torch

from pear_lightning.functional import soft_rank, soft_spearman
from tests.functional.test_soft_rank import rows

torchsort = pytest.importorskip("torchsort")


@pytest.mark.parametrize("kind", ["normal", "saliency", "ties", "constant"])
@pytest.mark.parametrize("relative", [0.04, 0.4, 1, 4])
@pytest.mark.parametrize("n", [1, 2, 8, 16, 64, 196])
def test_values_and_gradients(n: int, relative: float, kind: str) -> None:
    x = rows(n, 6, n, kind=kind).requires_grad_()
    strength = relative / n * 1.0123  # no gap may equal it: the gradient is a choice there
    ours = soft_rank(x, strength)
    theirs = torchsort.soft_rank(x, regularization_strength=strength)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
    weights = rows(1, 6, n)
    grads = [torch.autograd.grad((r * weights).sum(), x)[0] for r in (ours, theirs)]
    torch.testing.assert_close(*grads, rtol=0, atol=1e-10 / strength)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 5), (0, 5), (4, 1)])
def test_backend(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape).to(dtype).requires_grad_()
    strength = torch.full((1,) * len(shape), 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = soft_rank(x, strength)
        theirs = soft_rank(x, strength, backend="torchsort")
    assert ours.dtype == theirs.dtype
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    grads = [torch.autograd.grad(r.square().sum(), x)[0] for r in (ours, theirs)]
    torch.testing.assert_close(*grads, rtol=1e-2, atol=1e-3)


def test_backend_of_the_soft_spearman_correlation() -> None:
    a, b = rows(0, 6, 30), rows(1, 6, 30)
    torch.testing.assert_close(soft_spearman(a, b, backend="torchsort"), soft_spearman(a, b))
