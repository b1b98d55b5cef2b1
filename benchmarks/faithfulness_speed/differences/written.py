"""How a difference is written down."""

from collections.abc import Callable
from typing import Any

Difference = dict[str, str]
"""``metric``, ``what`` differs, and what was ``measured``."""


def error_of(function: Callable[[], Any]) -> str:
    """Call a function and write the error that it raises."""
    try:
        function()
    except Exception as error:  # whatever it is, it is the result
        return f"`{type(error).__name__}: {str(error).splitlines()[0]}`"
    return "no error"


def listed(values: Any) -> str:
    """Write numbers with three digits."""
    return ", ".join(f"{float(value):.3g}" for value in values)
