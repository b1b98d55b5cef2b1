"""Words of categories, whatever the type of the column that holds them."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lightning.pytorch.utilities import rank_zero_warn

if TYPE_CHECKING:
    from pandas import DataFrame

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    rf"(?:{_YEAR}[-/]{_MONTH}|{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}"
    rf"|{_DAY}[-/.]{_DAY}[-/.](?:{_YEAR}|\d\d)"  # the day or the month first
    rf"|{_DAY}\.?[ -]{_MONTH_NAME}[ -](?:{_YEAR}|\d\d)|{_MONTH_NAME} {_DAY},? {_YEAR})"
    r"(?:[T ,]+\d{1,2}:\d\d.*)?",
    re.IGNORECASE,
)


def word_of(value: Any) -> str | None:
    """Return the word of a value of a category, None if it is missing.

    Args:
        value: The value.

    Example:
        >>> [word_of(value) for value in (3, 3.0, " cook", None)]
        ['3', '3', 'cook', None]
    """
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def stripped(value: Any) -> Any:
    """Return a text without spaces around it, and any other value as it is.

    Args:
        value: The value.
    """
    return value.strip() if isinstance(value, str) else value


def known_spellings(found: Iterable[str], words: Sequence[str]) -> dict[str, str]:
    """Return found words, with the spelling of the known word of the same value.

    pandas chooses the type of a column by its values, which changes their spelling: ``true`` and
    ``01`` become ``True`` and ``1`` in a column of nothing else. A found word that is not known
    gets the spelling of the only known word that is the same number or truth value.

    Args:
        found: Words of a table.
        words: The known words of the category.

    Example:
        >>> known_spellings(["True", "1", "x"], ["01", "true", "unknown"])
        {'True': 'true', '1': '01', 'x': 'x'}
    """
    by_value: dict[Any, list[str]] = {}
    for word in words:
        by_value.setdefault(_value_of(word), []).append(word)
    known = set(words)
    spellings = {}
    for word in found:
        value = _value_of(word)
        same = [] if value is None else by_value.get(value, [])
        spellings[word] = same[0] if word not in known and len(same) == 1 else word
    return spellings


def warn_of_decimal_commas(table: "DataFrame", names: Sequence[str]) -> None:
    """Warn of columns of text most of whose words are numbers with a decimal comma.

    Args:
        table: The training table.
        names: The columns that are categories.
    """
    found = []
    for name in names:
        words = [each for each in map(word_of, table[name].unique().tolist()) if each is not None]
        numbers = sum(_DECIMAL_COMMA.fullmatch(word) is not None for word in words)
        if numbers > len(words) / 2:
            found.append(name)
    if found:
        rank_zero_warn(
            f"columns of text should not hold numbers, got {found} with numbers that have a "
            "decimal comma, which are encoded as categories; read them as numbers with "
            "decimal=','"
        )


def numbers_among(words: Sequence[str]) -> bool:
    """Return whether most words are numbers.

    Args:
        words: The words of a category.

    Example:
        >>> numbers_among(["1", "2.5", "?"]), numbers_among(["C1", "C2"])
        (True, False)
    """
    return 2 * (len(words) - len(no_numbers(words))) > len(words)


def no_numbers(words: Iterable[str]) -> list[str]:
    """Return the words that are no numbers.

    Args:
        words: The words of a category.
    """
    return [word for word in words if _NUMBER.fullmatch(word) is None]


def are_dates(words: Sequence[str]) -> bool:
    """Return whether most words are dates, with or without a time.

    Args:
        words: The words of a category.

    Example:
        >>> are_dates(["2024-01-31", "2024-02-01 08:30:00", "unknown"])
        True
        >>> are_dates(["31.1.2024", "1/31/24", "31 Jan 2024"]), are_dates(["0001-A", "2024"])
        (True, False)
    """
    return 2 * sum(_DATE.fullmatch(word) is not None for word in words) > len(words)


def _value_of(word: str) -> Any:
    """Return the number or truth value that a word spells, else None."""
    if _NUMBER.fullmatch(word):
        return Decimal(word)
    lower = word.lower()
    return lower if lower in ("true", "false") else None
