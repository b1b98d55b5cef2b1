"""Rows of a table before they are encoded, and their split."""

from typing import TYPE_CHECKING, Any, NamedTuple

from pear_lightning.datamodules.table_checks import (
    check_rows,
    class_indices,
    clean_columns,
    regression_values,
)
from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_marks import marks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


class Part(NamedTuple):
    """Rows of a table before they are encoded.

    Attributes:
        table: The features, as :func:`~pear_lightning.datamodules.table_checks.clean_columns`
            returns them.
        target: Class indices or values ``(N,)``.
        marks: Features that must not matter, ``(N, features)`` bool; ``None`` without annotations.
        excluded: Columns that are no features, such as an identifier.
    """

    table: "DataFrame"
    target: "NDArray[Any]"
    marks: "NDArray[Any] | None"
    excluded: "DataFrame"

    def take(self, rows: "NDArray[Any]") -> "Part":
        """Return some of the rows.

        Args:
            rows: Their indices.
        """
        marks = None if self.marks is None else self.marks[rows]
        table, excluded = (
            each.iloc[rows].reset_index(drop=True) for each in (self.table, self.excluded)
        )
        return Part(table, self.target[rows], marks, excluded)


def cleaned_part(
    table: "DataFrame",
    encoder: TableEncoder,
    part: str,
    *,
    target: str,
    classes: list[Any] | None,
    marks: "NDArray[Any] | None",
    irrelevant: list[str] | None,
    exclude: list[str] | None,
) -> Part:
    """Return the cleaned rows of a table with their targets and marks.

    Args:
        table: The rows.
        encoder: The features, and how missing values are treated.
        part: What the table is, for error messages.
        target: Name of the column to predict.
        classes: Values of the target; None for a target of numbers.
        marks: Features that must not matter, ``(N, features)`` bool; None without annotations.
        irrelevant: Features that must not matter in any row.
        exclude: Names of columns that are no features, if the table has them.

    Raises:
        ValueError: If a column is missing, has values that do not fit, or is unknown.
    """
    table = table.rename(columns=str)
    check_rows(table, part)
    cleaned = clean_columns(
        table, encoder.features, encoder.categories, impute=encoder.impute, part=part
    )
    if target not in table.columns:
        raise ValueError(
            f"target must be a column of the {part}, {list(table.columns)}, got {target!r}"
        )
    found = table[target]
    values = regression_values(found) if classes is None else class_indices(found, classes, part)
    if irrelevant:
        unknown = [name for name in irrelevant if name not in encoder.features]
        if unknown:
            raise ValueError(
                f"irrelevant must name features of the table, {encoder.features}, got {unknown}"
            )
        marks = marks_of(None, encoder.features, len(table)) if marks is None else marks
        marks[:, [encoder.features.index(name) for name in irrelevant]] = True
    return Part(cleaned.reset_index(drop=True), values, marks, columns_of(table, exclude))


def columns_of(table: "DataFrame", names: list[str] | None) -> "DataFrame":
    """Return the named columns of a table, as far as it has them.

    Args:
        table: The rows.
        names: Names of columns.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"id": ["a", "b"], "age": [31, 64]})
        >>> list(columns_of(table, ["id", "signup"]))
        ['id']
    """
    chosen = [name for name in table.columns if name in (names or ())]
    return table[chosen].reset_index(drop=True)


def hold_out(
    part: Part, split: str, fraction: float, *, seed: int, stratify: bool
) -> tuple[Part, Part]:
    """Split rows at random, and return the rest and the held out rows.

    Args:
        part: The rows.
        split: Name of the new split, for error messages.
        fraction: Share of the rows to hold out.
        seed: Seed of the draw.
        stratify: Whether both parts keep the share of each class.

    Raises:
        ValueError: If one of the parts would have too few rows.

    Example:
        >>> import numpy as np, pandas as pd
        >>> table = pd.DataFrame({"a": range(8)})
        >>> part = Part(table, np.array([0, 1] * 4), None, columns_of(table, None))
        >>> rest, test = hold_out(part, "test", 0.25, seed=0, stratify=True)
        >>> len(rest.target), sorted(test.target.tolist())
        (6, [0, 1])
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    try:
        rest, held_out = train_test_split(
            np.arange(len(part.target)),
            test_size=fraction,
            random_state=seed,
            stratify=part.target if stratify else None,
        )
    except ValueError as error:
        advice = ""
        if stratify:
            advice = (
                f" (there are {len(np.unique(part.target))} classes; if the target is a number and "
                "not a class, use task='regression')"
            )
        raise ValueError(
            f"{split}_fraction must leave enough rows in both splits, got {fraction} of "
            f"{len(part.target)} rows: {error}{advice}"
        ) from error
    return part.take(rest), part.take(held_out)
