"""Conversion of table columns to arrays, with errors that name the column."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING, Any

from pear_lightning.datamodules.leave_out import leave_out
from pear_lightning.datamodules.table_words import stripped, word_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series


def feature_columns(
    frame: "DataFrame",
    target: str,
    features: Sequence[str] | None,
    exclude: Sequence[str] | None = None,
) -> list[str]:
    """Return the feature columns: ``features``, or all except the target; without ``exclude``.

    Args:
        frame: The table.
        target: Name of the target column.
        features: Names of the feature columns. None takes all columns except the target.
        exclude: Names of columns to leave out, also of ``features``.

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
        one_column = len(available) == 1 and any(mark in available[0] for mark in ";\t|")
        raise ValueError(
            f"target must be a column of the table, {available}, got {target!r}"
            + ("; give the separator of the file" if one_column else "")
        )
    if unknown := [name for name in exclude or [] if name not in available]:
        raise ValueError(f"exclude must name columns of the table, {available}, got {unknown}")
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
    names = [name for name in names if name not in (exclude or ())]
    if not names:
        raise ValueError(
            f"features must hold a column other than the target {target!r}, got {available}"
            + (f" without {list(exclude)}" if exclude else "")
        )
    return names


def category_columns(
    frame: "DataFrame",
    names: Sequence[str],
    categories: Sequence[str] | None,
    excluded: Sequence[str] | None = (),
) -> list[str]:
    """Return the names of the feature columns that hold categories: no numbers, and those given.

    Args:
        frame: The training table.
        names: The feature columns.
        categories: Names of further columns whose values are categories, such as codes.
        excluded: Columns that are left out already, which the advice of an error repeats; None if
            the features are listed.

    Raises:
        ValueError: If a given name is not that of a feature column, or a column holds neither
            numbers nor text.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"job": ["cook"], "zip": [1010], "age": [30]})
        >>> category_columns(table, ["job", "zip", "age"], ["zip"])
        ['job', 'zip']
    """
    from pandas.api.types import (
        is_complex_dtype,
        is_datetime64_any_dtype,
        is_timedelta64_dtype,
    )

    given = [str(name) for name in categories or []]
    if unknown := [name for name in given if name not in names]:
        raise ValueError(f"categories must be feature columns, {list(names)}, got {unknown}")
    neither = [
        name
        for name in names
        if is_datetime64_any_dtype(frame[name])
        or is_timedelta64_dtype(frame[name])
        or is_complex_dtype(frame[name])
    ]
    if neither:
        found = ", ".join(f"{name} ({frame[name].dtype})" for name in neither)
        raise ValueError(
            f"feature columns must hold numbers or categories, got {found}; "
            f"{leave_out(neither, names, excluded)}, or replace them by numbers, such as a year or "
            "the days since a fixed day for dates"
        )
    return [name for name in names if name in given or not holds_numbers(frame[name])]


def holds_numbers(column: "Series[Any]") -> bool:
    """Return whether a column holds numbers; pandas keeps those of over 64 bits as objects.

    Args:
        column: The column.

    Example:
        >>> import pandas as pd
        >>> holds_numbers(pd.Series([10**30, 2.5, None], dtype=object))
        True
        >>> holds_numbers(pd.Series([1, "?"], dtype=object))
        False
    """
    from pandas.api.types import is_numeric_dtype, is_object_dtype

    if not is_object_dtype(column):
        return bool(is_numeric_dtype(column))
    values = column.dropna()
    kinds = (Real, Decimal)
    numbers = all(isinstance(each, kinds) and not isinstance(each, bool) for each in values)
    return numbers and not values.empty


def text_columns(frame: "DataFrame") -> list[str]:
    """Return the names of the columns of text.

    Args:
        frame: A table.

    Example:
        >>> import pandas as pd
        >>> text_columns(pd.DataFrame({"job": ["cook"], "age": [30]}))
        ['job']
    """
    from pandas.api.types import is_object_dtype, is_string_dtype

    return [
        str(name)
        for name, column in frame.items()
        if (is_object_dtype(column) or is_string_dtype(column)) and not holds_numbers(column)
    ]


def clean_columns(
    frame: "DataFrame", names: Sequence[str], categories: Sequence[str], *, impute: bool, part: str
) -> "DataFrame":
    """Return the feature columns: numbers in float64, categories as words, missing values as None.

    The word of a category does not depend on the type of its column, which differs between files
    with and without missing values: 3, 3.0 and ``"3"`` are the same.

    Args:
        frame: The table.
        names: The feature columns.
        categories: Those that hold categories.
        impute: Whether values may be missing.
        part: Name of the table in error messages, such as "training table".

    Raises:
        ValueError: If a column is missing or holds text instead of numbers, or a value is infinite
            or, without ``impute``, missing.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"a": [1, 2], "b": [3.0, None]})
        >>> clean_columns(frame, ["a", "b"], ["b"], impute=True, part="table")
             a     b
        0  1.0     3
        1  2.0  None
    """
    import numpy as np
    import pandas as pd

    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(
            f"{part} must have the columns {list(names)}, lacks {missing}, got "
            f"{list(frame.columns)}"
        )
    columns = {}
    for name in names:
        if name in categories:
            word = lru_cache(maxsize=None, typed=True)(word_of)  # few values, many rows
            words = [word(value) for value in frame[name].tolist()]
            columns[name] = pd.Series(words, dtype=object, index=frame.index)
            continue
        try:
            values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"feature columns of the {part} must be numeric where those of the training table "
                f"are, got {name} ({frame[name].dtype}): {error}; name "
                "entries that mean a missing value in `na_values`"
            ) from error
        columns[name] = pd.Series(values, index=frame.index)
    cleaned = pd.DataFrame(columns, index=frame.index)
    infinite = cleaned.isin([np.inf, -np.inf])
    bad = infinite if impute else infinite | cleaned.isna()
    if bad.to_numpy().any():
        counts = ", ".join(f"{name} ({n})" for name, n in bad.sum().items() if n)
        advice = "fill them in or drop the rows"
        if not infinite.to_numpy().any():
            advice += ", or fill them in with impute=True"
        raise ValueError(
            f"feature columns of the {part} must be finite, got missing or infinite values in "
            f"{counts} of {len(cleaned)} rows; {advice}"
        )
    return cleaned


def check_rows(frame: "DataFrame", part: str) -> None:
    """Raise for a table without rows.

    Args:
        frame: The table.
        part: Name of the table in error messages.

    Raises:
        ValueError: If the table has no rows.

    Example:
        >>> import pandas as pd
        >>> check_rows(pd.DataFrame({"a": []}), "training table")
        Traceback (most recent call last):
        ValueError: training table must have rows, got none; its columns are ['a']
    """
    if not len(frame):
        raise ValueError(
            f"{part} must have rows, got none; its columns are {list(map(str, frame.columns))}"
        )


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
    classes = list(dict.fromkeys(stripped(value) for value in target.drop_duplicates().tolist()))
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
    known = {value: index for index, value in enumerate(classes)}
    found = target.drop_duplicates().tolist()
    # an older checkpoint has classes with spaces
    position = {value: known.get(value, known.get(stripped(value))) for value in found}
    if unknown := [value for value, index in position.items() if index is None]:
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
    from pandas.api.types import is_bool_dtype

    if not holds_numbers(target) or is_bool_dtype(target):
        raise ValueError(
            f"target {target.name!r} must be numeric for task='regression', got {target.dtype}; "
            "name entries that mean a missing value in `na_values`, or a decimal comma in `decimal`"
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
        ValueError: target 'y' must be finite, got 1 missing or infinite value(s) in 2 ...
    """
    from pandas.api.types import is_numeric_dtype

    bad = target.isin([float("inf"), float("-inf")]) | target.isna()
    if bad.any():
        advice = "drop these rows"
        if not is_numeric_dtype(target):
            advice += (
                "; entries of a file such as None, NA, null and those of `na_values` are read as "
                "missing: spell a class of this name in another way, or remove it from `na_values`"
            )
        raise ValueError(
            f"target {target.name!r} must be finite, got {int(bad.sum())} missing or infinite "
            f"value(s) in {len(target)} rows; {advice}"
        )
