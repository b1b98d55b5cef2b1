"""Projection onto the permutahedron on the CPU, for :mod:`pear_lightning.functional.soft_rank`.

It computes the same function as the general version there, but with compiled sequential routines
instead of dozens of small tensor operations: O(N n) work after sorting, also in the worst case.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
ROWS_IN_LINE = 128


class ProjectionOnCPU(torch.autograd.Function):
    """Project rows ``x / strength`` onto the permutahedron; differentiable any number of times.

    ``ProjectionOnCPU.apply(x, strength)`` takes a non-empty float32 or float64 tensor ``(..., n)``
    on the CPU and a number. The result has the same shape and dtype. NaN and infinite values give
    results that are not finite.

    Example:
        >>> ProjectionOnCPU.apply(torch.tensor([0.1, 0.15, 0.9]), 0.2)
        tensor([1.3750, 1.6250, 3.0000])
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        """Sort, regress isotonically, subtract the fit, and undo the sort."""
        n = x.shape[-1]
        values: NDArray[Any] = x.numpy().reshape(-1, n)
        hard, offsets, _ = _constants(len(values), n)
        order = values.argsort(axis=1)
        order += offsets
        flat = order.ravel()
        y = np.divide(values.ravel()[flat].reshape(-1, n), strength, dtype=np.float64)
        y -= hard
        # float64 keeps all its digits: rows are regressed one by one, so that none of them changes
        # the last digit of another
        rows_in_line = ROWS_IN_LINE if x.dtype == torch.float32 else 1
        residuals, starts, sizes = _residuals(y, rows_in_line)
        residuals += hard
        ctx.blocks = flat, starts, sizes, strength
        return _in_order(residuals.ravel(), flat, x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Apply the Jacobian, which is symmetric."""
        if torch.is_grad_enabled():
            return _Jacobian.apply(grad, *ctx.blocks), None  # type: ignore[no-untyped-call]
        return _apply_jacobian(grad, *ctx.blocks), None


class _Jacobian(torch.autograd.Function):
    """:func:`_apply_jacobian` for derivatives of any order: it is linear and symmetric."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *blocks: Any) -> Tensor:
        ctx.blocks = blocks
        return _apply_jacobian(x, *blocks)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        product: Tensor = _Jacobian.apply(grad, *ctx.blocks)  # type: ignore[no-untyped-call]
        return product, None, None, None, None


def _apply_jacobian(
    x: Tensor, order: Positions, starts: Positions, sizes: Positions, strength: float
) -> Tensor:
    """Subtract the mean of each block and divide by the strength."""
    line = x.numpy().ravel()[order]
    means: Floats = np.add.reduceat(line, starts, dtype=np.float64)
    means /= sizes
    centred = line - means.repeat(sizes)
    centred /= strength
    return _in_order(centred, order, x)


def _in_order(line: Floats, order: Positions, like: Tensor) -> Tensor:
    """Undo the sort of entries ``(N n,)``, in a tensor like another one."""
    result = torch.empty(like.shape, dtype=like.dtype)
    result.numpy().ravel()[order] = line
    return result


def _residuals(y: Floats, rows_in_line: int) -> tuple[Floats, Positions, Positions]:
    """Return residuals of increasing isotonic regression of ``y (N, n)``; start and size of blocks.

    SciPy's routine takes one sequence, so rows are concatenated, and each is raised so far that no
    block spans two rows. With 128 rows in a line this costs 8 of 53 bits.
    """
    from scipy.optimize import isotonic_regression

    rows, n = y.shape
    low = y[:, :1]
    span = float((y[:, -1:] - low).max()) + 2 * n
    if span > n * n + 2 * n:
        # Ranks differ by less than n, so a gap of n always separates two blocks. Wider gaps are
        # reduced to n: otherwise a row of large values would cost the other rows their digits.
        with np.errstate(invalid="ignore"):  # values that are not finite reach this line, too
            gaps = np.diff(y, axis=1, prepend=low)
            y = np.minimum(gaps, n, out=gaps).cumsum(axis=1)
        low, span = y[:, :1], n * n + 2 * n
    if rows_in_line > 1:
        y = y + (span * _constants(rows, n).positions - low)
    line = y.ravel()
    parts = [
        isotonic_regression(line[first : first + rows_in_line * n])
        for first in range(0, rows * n, rows_in_line * n)
    ]
    if len(parts) == 1:
        (part,) = parts
        return (line - part.x).reshape(rows, n), part.blocks[:-1], part.weights.astype(np.int64)
    firsts = range(0, rows * n, rows_in_line * n)
    starts = [part.blocks[:-1] + first for part, first in zip(parts, firsts, strict=True)]
    fitted = np.concatenate([part.x for part in parts])
    sizes = np.concatenate([part.weights for part in parts])
    return (line - fitted).reshape(rows, n), np.concatenate(starts), sizes.astype(np.int64)


class _Constants(NamedTuple):
    """Arrays that depend on the shape alone: hard ranks, flat offsets, positions of rows."""

    hard: Floats
    offsets: Positions
    positions: Floats


@lru_cache(maxsize=8)
def _constants(rows: int, n: int) -> _Constants:
    positions = np.arange(float(rows))[:, None] % ROWS_IN_LINE
    return _Constants(np.arange(1.0, n + 1), np.arange(0, rows * n, n)[:, None], positions)
