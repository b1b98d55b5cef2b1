"""Annotations of the features of a table: which ones must not matter for a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


def marks_of(
    annotations: "DataFrame | None", features: Sequence[str], n_rows: int
) -> "NDArray[Any]":
    """Return which features must not matter for each row, ``(N, features)`` bool.

    Args:
        annotations: A table with one row for each row of the training table, and columns named
            after features, of zeros and ones; 1 = must not matter. Other features, and missing
            values, are not marked. ``None`` marks nothing.
        features: Names of the features.
        n_rows: Number of rows N.

    Raises:
        ValueError: If the number of rows differs, a column is not a feature, or a value is neither
            0 nor 1.

    Example:
        >>> import pandas as pd
        >>> marks_of(pd.DataFrame({"b": [0, 1]}), ["a", "b"], 2)
        array([[False, False],
               [False,  True]])
    """
    import numpy as np

    marks = np.zeros((n_rows, len(features)), dtype=bool)
    if annotations is None:
        return marks
    annotations = annotations.rename(columns=str)
    if len(annotations) != n_rows:
        raise ValueError(
            f"annotations must have a row for each of the {n_rows} rows of the training table, got "
            f"{len(annotations)}"
        )
    if unknown := [name for name in annotations.columns if name not in features]:
        raise ValueError(
            f"annotations must have columns named after features, {list(features)}, got {unknown}"
        )
    for name in annotations.columns:
        column = annotations[name].fillna(0)
        if not column.isin([0, 1]).all():
            raise ValueError(
                f"annotations must hold 0 and 1 (1 = must not matter), got other values in {name!r}"
            )
        marks[:, list(features).index(name)] = column.to_numpy(dtype=float) == 1
    return marks
