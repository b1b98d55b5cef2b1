"""The largest numbers of rows."""

import numpy as np
import torch
from torch import Tensor

from pear_lightning.functional.validation import is_traced


def among_largest(numbers: Tensor, counts: Tensor) -> Tensor:
    """Return which numbers of a row are among the largest.

    Among equal numbers it is undefined which are chosen.

    Args:
        numbers: Numbers in [0, 1], or -1, ``(K, B, m)`` or ``(K, 1, m)`` floating.
        counts: How many numbers of a row are chosen, ``(B,)`` long, at most m; the same for all
            samples if there is one row for all.

    Returns:
        ``(K, B, m)`` bool, or ``(K, 1, m)``.

    Example:
        >>> numbers = torch.tensor([[[0.9, 0.1, 0.5], [0.2, 0.3, 0.4]]])
        >>> among_largest(numbers, torch.tensor([1, 2])).int().tolist()
        [[[1, 0, 0], [0, 1, 1]]]
    """
    # numbers in [0, 1], and -1, are in the same order as their bits, and integers are faster
    bits = numbers.view(torch.int64 if numbers.dtype == torch.float64 else torch.int32)
    counts = counts.expand(numbers.shape[1])
    equal = len(counts) > 0 and bool((counts == counts[0]).all())
    if not equal or bits.device.type != "cpu" or is_traced(bits) or not int(counts[0]):
        return _by_topk(bits, counts)
    return _by_partition(bits, int(counts[0]))


def _by_topk(bits: Tensor, counts: Tensor) -> Tensor:
    last = bits.topk(int(counts.max()), dim=-1).indices
    chosen = torch.arange(last.shape[-1], device=last.device) < counts[:, None]
    return torch.zeros_like(bits, dtype=torch.bool).scatter_(-1, last, chosen.expand_as(last))


def _by_partition(bits: Tensor, count: int) -> Tensor:
    """Return the largest entries by the threshold of each row.

    NumPy partitions 32 bits in a third of the time that torch takes to find the largest 64 bits.
    The few rows with several numbers of the same high bits at the threshold are done by torch.
    """
    rows = bits.reshape(-1, bits.shape[-1])
    array = rows.numpy()
    if rows.dtype == torch.int64:
        high = 1 if np.little_endian else 0
        array = np.ascontiguousarray(array.view(np.int32)[:, high::2])
    place = array.shape[1] - count
    threshold = np.partition(array, place, axis=1)[:, place, None]
    chosen = torch.from_numpy(array >= threshold)
    ambiguous = (chosen.sum(dim=1) != count).nonzero()[:, 0]
    if len(ambiguous):
        again = rows[ambiguous][:, None]
        chosen[ambiguous] = _by_topk(again, torch.tensor([count]))[:, 0]
    return chosen.view(bits.shape)
