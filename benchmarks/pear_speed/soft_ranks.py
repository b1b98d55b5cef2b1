"""Soft ranks against torchsort's."""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from benchmarks.shared.timing import clock, interleaved
from pear_lightning.functional import soft_rank
from pear_lightning.functional.soft_rank import SoftRankBackend


def compare_soft_ranks(
    sizes: Sequence[int], batches: Sequence[int], device: str, repetitions: int
) -> list[dict[str, Any]]:
    """Time soft ranks, forward and backward, against torchsort's.

    Rows are absolute values of normal numbers divided by the row's largest, float32, strength
    0.4/n.

    Args:
        sizes: Entries of a row.
        batches: Rows.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: How often.

    Returns:
        A record for each size and batch; ``torchsort`` is ``None`` where it is not installed.
    """
    installed = find_spec("torchsort") is not None
    records = []
    for rows in batches:
        for n in sizes:
            generator = torch.Generator().manual_seed(n)
            x = torch.randn(rows, n, generator=generator).abs()
            x = (x / x.amax(1, keepdim=True)).to(device).requires_grad_()
            upstream = torch.randn(rows, n, generator=generator).to(device)

            backends: tuple[SoftRankBackend, ...] = ("torch", "torchsort")
            functions: dict[str, Callable[[], Tensor]] = {
                backend: partial(_rank_and_back, x, upstream, backend)
                for backend in backends[: 2 if installed else 1]
            }
            results = [function() for function in functions.values()]
            if installed:
                scale = upstream.abs().max() * n / 0.4
                torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-4 * scale.item())
            times = interleaved(functions, repetitions, clock(device), seconds=20)
            medians = {name: statistics.median(values) for name, values in times.items()}
            records.append({"rows": rows, "n": n, "torchsort": None} | medians)
    return records


def _rank_and_back(x: Tensor, upstream: Tensor, backend: SoftRankBackend) -> Tensor:
    if backend == "torchsort":
        import torchsort  # as itself: soft_rank(backend="torchsort") adds float64 and checks

        ranks: Tensor = torchsort.soft_rank(x, regularization_strength=0.4 / x.shape[-1])
    else:
        ranks = soft_rank(x, 0.4 / x.shape[-1], validate=False)
    return torch.autograd.grad(ranks, x, upstream)[0]
