"""Warnings of work that is done twice, which should be seen once."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_with_errors_only() -> Iterator[None]:
    """Drop the warnings given inside, unless an error follows, which they may explain.

    Example:
        >>> with warnings_with_errors_only():
        ...     warnings.warn("the file has decimal commas")
    """
    found: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield
    except Exception:
        for each in found:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        raise
