"""The finaliser of SplitMix64 (Steele, Lea, Flood 2014), the hash behind random numbers."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pear_lightning.functional.validation import is_traced

STEP = -7046029254386353131  # 0x9e3779b97f4a7c15, the increment of SplitMix64
_FACTORS = (-4658895280553007687, -7723592293110705685)  # 0xbf58476d1ce4e5b9, 0x94d049bb133111eb
_NUMBERS_IN_CACHE = 2**15  # on a CPU a dozen passes over more than this take three times as long


def mixed(z: Tensor) -> Tensor:
    """Return the hash of integers.

    Args:
        z: Any shape, long.

    Example:
        >>> mixed(torch.tensor([0, 1]))
        tensor([                  0, 6238072747940578789])
    """
    z = _folded(z, 30).mul_(_FACTORS[0])  # products of int64 wrap around
    z = _folded(z, 27).mul_(_FACTORS[1])
    return _folded(z, 31)


def mixed_streams(
    streams: Tensor,
    size: int,
    dtype: torch.dtype,
    convert: Callable[[Tensor], Tensor],
    shift: int = 0,
) -> Tensor:
    """Return converted hashes of counters that start at each stream.

    Args:
        streams: Any shape, long.
        size: Length m of a stream.
        dtype: The dtype that ``convert`` returns.
        convert: Maps hashes, any shape, long, to numbers of the same shape; it may change them.
        shift: Number of low bits that are shifted out of the hashes first.

    Returns:
        ``(*streams.shape, m)``.

    Example:
        >>> mixed_streams(torch.zeros(2).long(), 1, torch.long, lambda keys: keys, shift=60)
        tensor([[14],
                [14]])
    """
    steps = torch.arange(1, size + 1, device=streams.device) * STEP
    if streams.device.type != "cpu" or is_traced(streams):
        return convert(_shifted(mixed(streams[..., None] + steps), shift))
    rows = streams.reshape(-1)
    numbers = torch.empty(len(rows), size, dtype=dtype)
    at_once = max(1, _NUMBERS_IN_CACHE // max(1, size))
    block = np.empty((min(at_once, len(rows)), size), np.uint64)
    spare = np.empty_like(block)
    for part, target in zip(rows.split(at_once), numbers.split(at_once), strict=True):
        keys, other = block[: len(part)], spare[: len(part)]
        np.add(_unsigned(part)[:, None], _unsigned(steps), out=keys)
        _mix_in_place(keys, other)
        if shift:
            np.right_shift(keys, shift, out=keys)
        target.copy_(convert(torch.from_numpy(keys.view(np.int64))))
    return numbers.view(*streams.shape, size)


def _mix_in_place(keys: NDArray[np.uint64], spare: NDArray[np.uint64]) -> None:
    """Hash integers; NumPy shifts and multiplies 64 bits several times as fast as torch."""
    for bits, factor in ((30, _FACTORS[0]), (27, _FACTORS[1]), (31, None)):
        np.right_shift(keys, bits, out=spare)
        np.bitwise_xor(keys, spare, out=keys)
        if factor is not None:
            np.multiply(keys, np.uint64(factor % 2**64), out=keys)


def _unsigned(numbers: Tensor) -> NDArray[np.uint64]:
    array: NDArray[np.int64] = numbers.numpy()
    return array.view(np.uint64)


def _folded(z: Tensor, bits: int) -> Tensor:
    """Return numbers xor themselves shifted to the right."""
    return _shifted(z, bits).bitwise_xor_(z)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Return a logical shift to the right; the shift of torch is arithmetic and keeps the sign."""
    return (z >> bits).bitwise_and_((1 << (64 - bits)) - 1) if bits else z
