"""Lists of different lengths as a padded tensor."""

from typing import Any

import torch
from torch import Tensor


def ragged(column: Any, padding: float) -> Tensor:
    """Return a column of lists, or of lists of lists, as a tensor that is padded at the end.

    Args:
        column: A column of R rows of a ``pyarrow.Table``.
        padding: Value of entries that a row lacks.

    Returns:
        ``(R, a)`` or ``(R, a, b)`` with the largest lengths.

    Example:
        >>> import pyarrow as pa
        >>> ragged(pa.chunked_array([[[[1.0], [2.0]], [[3.0]]]]), 0.0).tolist()
        [[[1.0], [2.0]], [[3.0], [0.0]]]
    """
    import pyarrow.compute as pc

    lists = column.combine_chunks()
    outer = torch.tensor(pc.list_value_length(lists).to_pylist(), dtype=torch.long)
    inner = lists.flatten()
    if not _is_list(inner):
        return _padded(_leaves(inner), outer, padding)
    lengths = torch.tensor(pc.list_value_length(inner).to_pylist(), dtype=torch.long)
    values = _padded(_leaves(inner.flatten()), lengths, padding)  # of all inner lists
    row, place = _places(outer)
    found = values.new_full((len(outer), int(outer.max()), values.shape[1]), padding)
    found[row, place] = values
    return found


def _is_list(values: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(values.type) or pa.types.is_large_list(values.type))


def _leaves(values: Any) -> Tensor:
    return torch.tensor(values.to_numpy(zero_copy_only=False))


def _places(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the list, and the position in it, of each entry of concatenated lists."""
    row = torch.arange(len(lengths)).repeat_interleave(lengths)
    first = lengths.cumsum(0) - lengths
    return row, torch.arange(len(row)) - first.repeat_interleave(lengths)


def _padded(values: Tensor, lengths: Tensor, padding: float) -> Tensor:
    longest = int(lengths.max()) if len(lengths) else 0
    found = values.new_full((len(lengths), longest), padding)
    found[_places(lengths)] = values
    return found
