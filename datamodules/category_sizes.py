"""Check that categories have few enough values to be encoded."""

from collections.abc import Mapping, Sequence

from pear_lightning.datamodules.leave_out import leave_out
from pear_lightning.datamodules.table_words import are_dates, no_numbers, numbers_among

_SHOWN = 5


def check_category_sizes(
    words: Mapping[str, Sequence[str]],
    rows: int,
    max_categories: int,
    features: Sequence[str],
    excluded: Sequence[str] | None = (),
) -> None:
    """Raise one error for all categories with too many values, which says what they hold.

    Args:
        words: The values of each category, in order.
        rows: Number of training rows.
        max_categories: Largest number of values of a category.
        features: All feature columns.
        excluded: Columns that are left out already; None if the features are listed.

    Raises:
        ValueError: If a category has more values.

    Example:
        >>> words = {"id": ["a", "b", "c"], "job": ["cook"]}
        >>> check_category_sizes(words, 3, 2, ["id", "job"])
        Traceback (most recent call last):
        ...
        ValueError: categories must have at most 2 values in the training rows, got 'id' (3 in 3 \
rows, such as 'a' and 'c'); leave them out with exclude=['id'], or raise `max_categories`
    """
    large = {name: each for name, each in words.items() if len(each) > max_categories}
    if not large:
        return
    dates = [name for name, each in large.items() if are_dates(each)]
    advice = leave_out(list(large), features, excluded)
    for name, each in large.items():
        others = no_numbers(each)
        if name not in dates and others and numbers_among(each):
            shown = f"{others[:_SHOWN]}" + (", ..." if len(others) > _SHOWN else "")
            advice += f", or, if {name!r} holds numbers, name {shown} in `na_values`"
    advice += ", or raise `max_categories`"
    if dates:
        advice += (
            f"; dates are not encoded as numbers: to keep {dates}, replace them by a year or the "
            "days since a fixed day"
        )
    found = ", ".join(
        f"{name!r} ({len(each)} {'dates ' if name in dates else ''}in {rows} rows, such as "
        f"{each[0]!r} and {each[-1]!r})"
        for name, each in large.items()
    )
    raise ValueError(
        f"categories must have at most {max_categories} values in the training rows, got {found}; "
        f"{advice}"
    )
