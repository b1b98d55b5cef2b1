"""The projection on the CPU against the general one, where its shortcuts could show."""

import pytest
import torch
from torch import Tensor

from pear_lightning.functional.permutahedron import ROWS_IN_LINE, ProjectionOnCPU
from pear_lightning.functional.soft_rank import _project


def general(x: Tensor, strength: float) -> Tensor:
    return _project(x.double() / strength).to(x.dtype)


@pytest.mark.parametrize("n", [1, 2, 7, 30, 70])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("relative", [0.04, 0.4, 1.0, 4.0])
def test_equals_the_general_projection(n: int, dtype: torch.dtype, relative: float) -> None:
    x = torch.randn(2 * ROWS_IN_LINE + 3, n, dtype=dtype).abs()
    x[:5] = 0
    x[5:9, : n // 2] = 0.25
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    ranks, expected = ProjectionOnCPU.apply(one, relative / n), general(other, relative / n)
    torch.testing.assert_close(ranks, expected)
    upstream = torch.randn_like(x)
    ranks.backward(upstream)
    expected.backward(upstream)
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4 * n / relative)


@pytest.mark.parametrize("huge", [1e9, 1e15, 1e30])
def test_rows_of_any_scale_share_a_batch(huge: float) -> None:
    x = torch.randn(100, 12)
    ranks = ProjectionOnCPU.apply(x, 0.2)
    x[::3] *= huge
    mixed = ProjectionOnCPU.apply(x, 0.2)
    torch.testing.assert_close(mixed[1::3], ranks[1::3])
    hard = x[::3].double().argsort().argsort().add(1).float()
    torch.testing.assert_close(mixed[::3], hard)
