"""Columns of a table that form one feature."""

from collections.abc import Sequence
from typing import Any


def features_of_columns(n_columns: int, groups: Sequence[Sequence[int]] | None = None) -> list[int]:
    """Return the feature of each column; features are numbered by their first column.

    Args:
        n_columns: Number of columns.
        groups: Groups of columns that form one feature; every other column is its own feature.

    Raises:
        ValueError: If a group is empty, names a column that does not exist, or overlaps another.

    Example:
        >>> features_of_columns(5, [[1, 2]])
        [0, 1, 1, 2, 3]
    """
    group_of: dict[int, int] = {}
    for number, group in enumerate(groups or []):
        if not group:
            raise ValueError(f"groups[{number}] must have at least one column, got none")
        for column in group:
            if not 0 <= column < n_columns:
                raise ValueError(
                    f"groups[{number}] must name columns in 0..{n_columns - 1}, got {column}"
                )
            if column in group_of:
                raise ValueError(
                    f"groups must name each column once, got column {column} in "
                    f"groups[{group_of[column]}] and groups[{number}]"
                )
            group_of[column] = number
    number_of: dict[Any, int] = {}
    return [
        number_of.setdefault(("group", group_of[c]) if c in group_of else c, len(number_of))
        for c in range(n_columns)
    ]
