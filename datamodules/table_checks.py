"""Conversion of table columns to arrays, with errors that name the column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series


def feature_columns(frame: "DataFrame", target: str, features: Sequence[str] | None) -> list[str]:
    """Return the names of the feature columns: ``features``, or all columns except the target.

    Args:
        frame: The table.
        target: Name of the target column.
        features: Names of the feature columns. None takes all columns except the target.

    Raises:
        ValueError: If a column is missing, repeated, or both feature and target.

    Example:
        >>> import pandas as pd
        >>> feature_columns(pd.DataFrame({"a": [1], "b": [2], "y": [0]}), "y", None)
        ['a', 'b']
    """
    available = [str(column) for column in frame.columns]
    if repeated := sorted({name for name in available if available.count(name) > 1}):
        raise ValueError(f"column names of the table must differ, got several columns {repeated}")
    if target not in available:
        raise ValueError(f"target must be a column of the table, {available}, got {target!r}")
    if features is None:
        names = [name for name in available if name != target]
    else:
        names = [str(name) for name in features]
        if missing := [name for name in names if name not in available]:
            raise ValueError(f"features must be columns of the table, {available}, got {missing}")
        if target in names:
            raise ValueError(
                f"features must not hold the target {target!r}, the answer itself, got {names}"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"features must name each column once, got {names}")
    if not names:
        raise ValueError(
            f"features must hold a column other than the target {target!r}, got {available}"
        )
    return names


def feature_values(frame: "DataFrame", names: Sequence[str], part: str) -> "NDArray[Any]":
    """Return the values ``(N, n)`` of the feature columns in float64.

    Args:
        frame: The table.
        names: The feature columns.
        part: Name of the table in error messages, such as "training table".

    Raises:
        ValueError: If a column is missing or not numeric, or has missing or infinite values.

    Example:
        >>> import pandas as pd
        >>> feature_values(pd.DataFrame({"a": [1, 2], "b": [True, False]}), ["a", "b"], "table")
        array([[1., 1.],
               [2., 0.]])
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(f"{part} must have the columns {missing}, got {list(frame.columns)}")
    words = [
        f"{name} ({frame[name].dtype})"
        for name in names
        if not (is_numeric_dtype(frame[name]) or is_bool_dtype(frame[name]))
        or is_complex_dtype(frame[name])
    ]
    if words:
        raise ValueError(
            f"feature columns of the {part} must be numeric, got {', '.join(words)}; encode them "
            "as numbers, or name the columns to use in `features`"
        )
    values: NDArray[Any] = frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    bad = (~np.isfinite(values)).sum(axis=0)
    if bad.any():
        counts = ", ".join(f"{name} ({n})" for name, n in zip(names, bad, strict=True) if n)
        raise ValueError(
            f"feature columns of the {part} must be finite, got missing or infinite values in "
            f"{counts} of {len(values)} rows; fill them in or drop the rows"
        )
    return values


def classes_of(target: "Series[Any]") -> list[Any]:
    """Return the classes in the target column, in order.

    Args:
        target: The target column of the training table.

    Raises:
        ValueError: If values are missing, not classes, or all the same.

    Example:
        >>> import pandas as pd
        >>> classes_of(pd.Series(["yes", "no", "yes"]))
        ['no', 'yes']
    """
    from pandas.api.types import is_float_dtype

    check_complete(target)
    classes = target.drop_duplicates().tolist()
    if is_float_dtype(target) and (parts := [value for value in classes if value != int(value)]):
        raise ValueError(
            f"target {target.name!r} must hold classes, got values such as {parts[0]}; use "
            "task='regression'"
        )
    if len(classes) < 2:
        raise ValueError(f"target {target.name!r} must hold at least two classes, got {classes}")
    if is_float_dtype(target):
        classes = [int(value) for value in classes]
    try:
        return sorted(classes)
    except TypeError:  # a column of mixed types
        return sorted(classes, key=str)


def class_indices(target: "Series[Any]", classes: Sequence[Any], part: str) -> "NDArray[Any]":
    """Return the index of the class of each row in ``classes``, ``(N,)`` long.

    Args:
        target: The target column.
        classes: The classes, as returned by :func:`classes_of`.
        part: Name of the table in error messages.

    Raises:
        ValueError: If values are missing or not in ``classes``.

    Example:
        >>> import pandas as pd
        >>> class_indices(pd.Series(["yes", "no"]), ["no", "yes"], "test table")
        array([1, 0])
    """
    import numpy as np

    check_complete(target)
    position = {value: index for index, value in enumerate(classes)}
    if unknown := [value for value in target.drop_duplicates().tolist() if value not in position]:
        raise ValueError(
            f"target {target.name!r} of the {part} must hold the classes of the training table, "
            f"{list(classes)}, got {unknown}"
        )
    return np.array([position[value] for value in target.tolist()], dtype=np.int64)


def regression_values(target: "Series[Any]") -> "NDArray[Any]":
    """Return the values ``(N,)`` of a regression target in float64.

    Args:
        target: The target column.

    Raises:
        ValueError: If the target is not numeric, or values are missing or infinite.

    Example:
        >>> import pandas as pd
        >>> regression_values(pd.Series([1, 2]))
        array([1., 2.])
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not is_numeric_dtype(target) or is_bool_dtype(target):
        raise ValueError(
            f"target {target.name!r} must be numeric for task='regression', got {target.dtype}"
        )
    check_complete(target)
    # a copy, because torch warns of the read-only views of pandas
    values: NDArray[Any] = target.to_numpy(dtype=np.float64, copy=True)
    return values


def check_complete(target: "Series[Any]") -> None:
    """Raise for a target with missing or infinite values.

    Args:
        target: The target column.

    Raises:
        ValueError: If a value is missing or infinite.

    Example:
        >>> import pandas as pd
        >>> check_complete(pd.Series([0.0, None], name="y"))
        Traceback (most recent call last):
        ValueError: target 'y' must be finite, got 1 missing or infinite value(s) in 2 rows
    """
    bad = target.isin([float("inf"), float("-inf")]) | target.isna()
    if bad.any():
        raise ValueError(
            f"target {target.name!r} must be finite, got {int(bad.sum())} missing or infinite "
            f"value(s) in {len(target)} rows"
        )
