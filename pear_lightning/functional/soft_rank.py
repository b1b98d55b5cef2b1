"""Soft rank: the projection of a row onto the permutahedron, differentiable twice."""

from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.isotonic import (
    blocks_by_pooling,
    blocks_by_slopes,
    blocks_by_table,
)
from pear_lightning.functional.permutahedron import ProjectionOnCPU
from pear_lightning.functional.validation import (
    at_least_float32,
    check_choice,
    check_finite,
    check_rows,
    is_traced,
)

SoftRankBackend = Literal["torch", "torchsort"]
TABLE_UP_TO = 24  # entries per row; measured: for longer rows pooling is faster than the table


def soft_rank(
    x: Tensor,
    strength: float | Tensor,
    *,
    backend: SoftRankBackend = "torch",
    validate: bool = True,
) -> Tensor:
    r"""Ascending soft ranks of each row: about 1 for the smallest entry, about n for the largest.

    The Euclidean projection onto the permutahedron P, the convex hull of the permutations of
    (1, ..., n):

    .. math::
        R_ε(θ) = \operatorname{argmin}_{μ ∈ P} \tfrac12 ‖μ − θ/ε‖²

    Computed exactly: sort θ/ε in decreasing order, regress it minus (n, ..., 1) isotonically,
    subtract the fit. Entries fall into blocks; in a block B of size m, R = θ/ε − mean_B(θ)/ε +
    mean_B(w), with w the hard ranks, so ∂R_i/∂θ_j = (δ_ij − 1/m)/ε inside a block and 0 across
    blocks.

    If all gaps between neighbours are at least ε, ranks are exactly hard and the gradient is
    exactly zero. If max − min ≤ ε·n/2, the result is linear in θ and ranks nothing. **The strength
    only has a meaning relative to the scale of θ and to 1/n**; see
    :func:`~pear_lightning.functional.soft_spearman.soft_rank_saliency`.

    The block search, prefix sums and block means run in float64 (float32 on devices without it)
    with autocast off. On the CPU, sequential routines of SciPy and NumPy compute the ranks. On an
    accelerator, one matrix product finds the blocks of rows with up to 24 entries, and pooling with
    O(B n) memory those of longer rows. Inside ``torch.compile`` and ``torch.func`` transforms,
    which can trace neither, blocks are found from all slopes with O(B n²) memory.

    Args:
        x: ``(..., n)`` floating, n >= 1, any leading dimensions; the batch may be empty.
        strength: ε > 0 in units of ``x``; a tensor must broadcast to ``x``'s leading dimensions
            plus ``(1,)``.
        backend: ``"torch"``, or ``"torchsort"`` for the package of that name, which is faster for
            large n. Its second derivative is **silently wrong** (its backward builds no graph), and
            it works neither inside ``torch.compile(fullgraph=True)`` nor ``torch.func``.
        validate: whether to check for NaN and infinite values, which synchronises once with an
            accelerator.

    Returns:
        ``(..., n)``, float64 for float64 input and float32 otherwise.

    Raises:
        TypeError: if ``x`` is not floating.
        ValueError: for NaN or infinite values, a strength that is not positive and finite or does
            not broadcast, an empty last dimension, an unknown backend.
        ImportError: if ``backend="torchsort"`` and torchsort is missing.

    Example:
        >>> soft_rank(torch.tensor([0.1, 0.15, 0.9]), 0.2)
        tensor([1.3750, 1.6250, 3.0000])

    References:
        Blondel, Teboul, Berthet, Djolonga, *Fast Differentiable Sorting and Ranking*, ICML 2020,
        arXiv 2002.08871.
    """
    check_choice("backend", backend, ("torch", "torchsort"))
    check_rows("x", x)
    _check_strength(strength, x, validate)
    if torch.is_autocast_enabled(x.device.type):
        with torch.autocast(x.device.type, enabled=False):
            return _soft_rank(x, strength, backend, validate)
    return _soft_rank(x, strength, backend, validate)


def _soft_rank(x: Tensor, strength: float | Tensor, backend: str, validate: bool) -> Tensor:
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    if x.is_cpu and x.numel() and backend == "torch" and not is_traced(x):
        if isinstance(strength, Tensor):
            x, strength = x.double() / strength, 1.0
        if validate:
            check_finite("x", x.detach().double() / strength)
        x = at_least_float32(x)
        ranks: Tensor = ProjectionOnCPU.apply(x, strength)  # type: ignore[no-untyped-call]
        return ranks.to(dtype)
    scaled = (x.float() if x.device.type == "mps" else x.double()) / strength
    if validate:
        check_finite("x", scaled)
    rows = scaled.reshape(-1, scaled.shape[-1])
    ranks = _torchsort_rank(rows.to(dtype)) if backend == "torchsort" else _project(rows)
    return ranks.reshape(x.shape).to(dtype)


def _project(rows: Tensor) -> Tensor:
    """Project ``rows (N, n)`` onto the permutahedron."""
    n = rows.shape[-1]
    with torch.no_grad():
        values, order = rows.sort(dim=-1, descending=True)
        if is_traced(rows):
            blocks = blocks_by_slopes(values)
        elif n <= TABLE_UP_TO:
            blocks = blocks_by_table(values)
        else:
            blocks = blocks_by_pooling(values)
        # back to the order of the input, where scatter overwrites every entry
        block = order.scatter(-1, order, blocks)
        hard = torch.arange(n, 0, -1, device=rows.device, dtype=rows.dtype).expand_as(rows)
        hard = rows.scatter(-1, order, hard)
        empty = rows.new_zeros(rows.shape[0], n + 1)  # block numbers start at 1
        size = empty.scatter_add(-1, block, torch.ones_like(rows)).gather(-1, block)
    mean = empty.scatter_add(-1, block, rows - hard).gather(-1, block) / size
    return rows - mean


def _torchsort_rank(rows: Tensor) -> Tensor:
    """Rank ``rows (N, n)`` with torchsort, which takes float32 and float64 in two dimensions."""
    try:
        import torchsort
    except ImportError as error:
        raise ImportError(
            "backend='torchsort' needs torchsort: pip install 'pear-lightning[torchsort]', "
            "or use backend='torch'"
        ) from error
    if rows.shape[0] == 0:
        return rows
    ranks: Tensor = torchsort.soft_rank(rows, regularization_strength=1.0)
    return ranks


def _check_strength(strength: float | Tensor, x: Tensor, validate: bool) -> None:
    if isinstance(strength, Tensor):
        shape = (*x.shape[:-1], 1)
        sizes = zip(reversed(strength.shape), reversed(shape), strict=False)
        if strength.ndim > len(shape) or any(size not in (1, full) for size, full in sizes):
            raise ValueError(
                f"strength must have a shape that broadcasts to {shape}, "
                f"got {tuple(strength.shape)}"
            )
        if validate and not is_traced(strength):
            right = (strength > 0) & (strength < torch.inf)
            if not bool(right.all()):
                wrong = strength[~right][0].item()
                raise ValueError(f"strength must be positive and finite, got {wrong}")
    elif not 0 < strength < float("inf"):
        raise ValueError(f"strength must be positive and finite, got {strength}")
