"""Warnings of columns from which a network learns nothing that holds for other rows."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning.pytorch.utilities import rank_zero_warn

from pear_lightning.datamodules.leave_out import leave_out, listing
from pear_lightning.datamodules.table_encoder import TableEncoder

if TYPE_CHECKING:
    from pandas import DataFrame

_MANY_ROWS = 50
_DENSE = 0.5
_ID_WORDS = {"id", "identifier", "idx", "index", "guid", "key", "uid", "uuid", "unnamed"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def warn_of_constants(
    table: "DataFrame", encoder: TableEncoder, excluded: Sequence[str] | None = ()
) -> None:
    """Warn of columns with the same value in all training rows, which explain no prediction.

    Missing numbers do not count as a value, because they are filled in; missing categories do.

    Args:
        table: The training rows.
        encoder: The encoding, fitted to them.
        excluded: Columns that are left out already; None if the features are listed.
    """
    if len(table) < 2:
        return
    numbers = table[encoder.numbers]
    same = {*numbers.columns[(numbers.min() == numbers.max()).to_numpy()]}
    same |= {name for name, words in encoder.words.items() if len(words) == 1}
    if names := [name for name in encoder.features if name in same]:
        rank_zero_warn(
            "feature columns should have several values in the training rows, got one value in "
            f"{listing(names)}; such columns explain no difference between predictions, but count "
            f"as features: {leave_out(names, encoder.features, excluded)}"
        )


def identifiers(table: "DataFrame", numbers: Sequence[str]) -> list[str]:
    """Return the columns of numbers that look like identifiers of the rows.

    In a table of at least 50 rows, these are columns without missing values, with a different whole
    number in every row, of which one of the following holds:

    - The name has a word such as "id", "index" or "key": ``id``, ``customer_id``, ``PassengerId``.
    - The numbers are at least half of those between the smallest and the largest, as those of a
      counter are after some rows have been held out.

    Args:
        table: The training rows.
        numbers: The columns of numbers.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"nr": range(60), "id": range(0, 600, 10), "age": [30] * 60})
        >>> identifiers(table.assign(income=table["id"]), ["nr", "id", "age", "income"])
        ['nr', 'id']
    """
    rows = len(table)
    if rows < _MANY_ROWS:
        return []
    values = table[list(numbers)]
    span = values.max() - values.min() + 1
    dense = (span >= rows) & (span <= rows / _DENSE)
    return [
        name
        for name in numbers
        if (dense[name] or _is_named_as_identifier(name))
        and bool((values[name] % 1 == 0).all())
        and values[name].is_unique
    ]


def warn_of_identifiers(
    table: "DataFrame",
    encoder: TableEncoder,
    excluded: Sequence[str] | None = (),
    irrelevant: Sequence[str] | None = None,
) -> None:
    """Warn of columns that look like identifiers, unless an argument names them.

    Args:
        table: The training rows.
        encoder: The encoding of them.
        excluded: Columns that are left out already; None if the features are listed, so that an
            identifier among them is meant.
        irrelevant: Features that must not matter.
    """
    if excluded is None:
        return
    known = set(irrelevant or ())
    names = [name for name in identifiers(table, encoder.numbers) if name not in known]
    if names:
        rank_zero_warn(
            f"feature columns should not be identifiers of the rows, got {listing(names)} with a "
            f"different whole number in each of the {len(table)} training rows; "
            f"{leave_out(names, encoder.features, excluded)}, or list the features in `features` "
            "to keep them"
        )


def _is_named_as_identifier(name: str) -> bool:
    return any(word.lower() in _ID_WORDS for word in _WORD.findall(name))
