"""From the columns of a table to arrays, or to an error that names the column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series


def feature_columns(frame: "DataFrame", target: str, features: Sequence[str] | None) -> list[str]:
    """Names of the feature columns: ``features``, or all columns but the target.

    Args:
        frame: The table.
        target: Name of the target column.
        features: Names of the feature columns. None takes all but the target.

    Raises:
        ValueError: If a column is missing, named twice, or both feature and target.

    Example:
        >>> import pandas as pd
        >>> feature_columns(pd.DataFrame({"a": [1], "b": [2], "y": [0]}), "y", None)
        ['a', 'b']
    """
    available = [str(column) for column in frame.columns]
    if repeated := sorted({name for name in available if available.count(name) > 1}):
        raise ValueError(f"the table has several columns called {repeated}: names have to differ")
    if target not in available:
        raise ValueError(f"target {target!r} is not a column of the table; it has {available}")
    if features is None:
        names = [name for name in available if name != target]
    else:
        names = [str(name) for name in features]
        if missing := [name for name in names if name not in available]:
            raise ValueError(f"features {missing} are not columns of the table; it has {available}")
        if target in names:
            raise ValueError(
                f"features holds the target {target!r}: the model would see its answer"
            )
        if len(set(names)) < len(names):
            raise ValueError(f"features names a column twice: {names}")
    if not names:
        raise ValueError(f"no feature is left: the table has {available}, the target is {target!r}")
    return names


def feature_values(frame: "DataFrame", names: Sequence[str], part: str) -> "NDArray[Any]":
    """Values ``(N, n)`` of the feature columns in float64.

    Args:
        frame: The table.
        names: The feature columns.
        part: What the table is called in an error, such as "training table".

    Raises:
        ValueError: If a column is missing, is not numeric, or has missing or infinite values.

    Example:
        >>> import pandas as pd
        >>> feature_values(pd.DataFrame({"a": [1, 2], "b": [True, False]}), ["a", "b"], "table")
        array([[1., 1.],
               [2., 0.]])
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(f"the {part} has no {missing}; its columns are {list(frame.columns)}")
    words = [
        f"{name} ({frame[name].dtype})"
        for name in names
        if not (is_numeric_dtype(frame[name]) or is_bool_dtype(frame[name]))
        or is_complex_dtype(frame[name])
    ]
    if words:
        raise ValueError(
            f"these columns of the {part} are not numeric: {', '.join(words)}. "
            "Encode them as numbers, or name the columns to use in `features`"
        )
    values: NDArray[Any] = frame[list(names)].to_numpy(dtype=np.float64, na_value=np.nan)
    bad = (~np.isfinite(values)).sum(axis=0)
    if bad.any():
        counts = ", ".join(f"{name} ({n})" for name, n in zip(names, bad, strict=True) if n)
        raise ValueError(
            f"the {part} has missing or infinite values: {counts} of {len(values)} rows. "
            "Fill them in or drop the rows"
        )
    return values


def classes_of(target: "Series[Any]") -> list[Any]:
    """The classes in the target column, in order.

    Args:
        target: The target column of the training table.

    Raises:
        ValueError: If values are missing, are not classes, or are all the same.

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
            f"target {target.name!r} has values such as {parts[0]}, which are no classes: "
            "use task='regression'"
        )
    if len(classes) < 2:
        raise ValueError(f"target {target.name!r} has only the class {classes}: two are needed")
    if is_float_dtype(target):
        classes = [int(value) for value in classes]
    try:
        return sorted(classes)
    except TypeError:  # a column of mixed types
        return sorted(classes, key=str)


def class_indices(target: "Series[Any]", classes: Sequence[Any], part: str) -> "NDArray[Any]":
    """Position of each row's class in ``classes``, ``(N,)`` long.

    Args:
        target: The target column.
        classes: The classes, as :func:`classes_of` gives them.
        part: What the table is called in an error.

    Raises:
        ValueError: If values are missing, or are not among ``classes``.

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
            f"target {target.name!r} of the {part} has the classes {unknown}; "
            f"the training table has {list(classes)}"
        )
    return np.array([position[value] for value in target.tolist()], dtype=np.int64)


def regression_values(target: "Series[Any]") -> "NDArray[Any]":
    """Values ``(N,)`` of a regression's target in float64.

    Args:
        target: The target column.

    Raises:
        ValueError: If it is not numeric, or values are missing or infinite.

    Example:
        >>> import pandas as pd
        >>> regression_values(pd.Series([1, 2]))
        array([1., 2.])
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not is_numeric_dtype(target) or is_bool_dtype(target):
        raise ValueError(
            f"target {target.name!r} is of type {target.dtype}: task='regression' needs numbers"
        )
    check_complete(target)
    # a copy: pandas hands out read-only views, which torch warns of
    values: NDArray[Any] = target.to_numpy(dtype=np.float64, copy=True)
    return values


def check_complete(target: "Series[Any]") -> None:
    """Refuse a target with missing or infinite values.

    Args:
        target: The target column.

    Raises:
        ValueError: If a value is missing or infinite.

    Example:
        >>> import pandas as pd
        >>> check_complete(pd.Series([0.0, None], name="y"))
        Traceback (most recent call last):
        ValueError: target 'y' has 1 missing or infinite value(s) in 2 rows
    """
    bad = target.isin([float("inf"), float("-inf")]) | target.isna()
    if bad.any():
        raise ValueError(
            f"target {target.name!r} has {int(bad.sum())} missing or infinite value(s) "
            f"in {len(target)} rows"
        )
