"""One-hot encoding of categorical columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pandas import DataFrame


class OneHot(NamedTuple):
    """Tables whose categorical columns are one-hot encoded.

    Attributes:
        tables: The tables; a categorical column ``sex`` becomes ``sex=Female`` and ``sex=Male``.
        groups: Number of the original column of each column of the result.
        numbers: Whether the original column of each column of the result is numerical.
    """

    tables: "list[DataFrame]"
    groups: list[int]
    numbers: list[bool]


def one_hot(tables: "Sequence[DataFrame]", columns: Sequence[str]) -> OneHot:
    """One-hot encode the categorical columns of tables.

    The categories are those of the first table, in alphabetical order. Rows of the other tables
    with other categories are encoded as zeros.

    Args:
        tables: The tables; only ``columns`` are kept.
        columns: Columns to keep, in order.

    Raises:
        ValueError: If a table lacks a column.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"sex": ["Male", "Female"], "age": [39, 50]})
        >>> coded = one_hot([table], ["sex", "age"])
        >>> coded.tables[0].columns.tolist(), coded.groups
        (['sex=Female', 'sex=Male', 'age'], [0, 0, 1])
    """
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    for table in tables:
        if missing := [name for name in columns if name not in table.columns]:
            raise ValueError(f"columns must be among {list(table.columns)}, got {missing}")
    blocks: list[list[DataFrame]] = [[] for _ in tables]
    groups, numbers = [], []
    for group, name in enumerate(columns):
        number = is_numeric_dtype(tables[0][name])
        if number:
            coded = [table[[name]] for table in tables]
        else:
            words = sorted(tables[0][name].unique())
            coded = [
                pd.DataFrame({f"{name}={word}": (table[name] == word) * 1.0 for word in words})
                for table in tables
            ]
        groups += [group] * coded[0].shape[1]
        numbers += [number] * coded[0].shape[1]
        for block, columns_of_one in zip(blocks, coded, strict=True):
            block.append(columns_of_one)
    return OneHot([pd.concat(block, axis=1) for block in blocks], groups, numbers)
