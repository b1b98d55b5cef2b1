"""matplotlib, which the ``plot`` extra installs."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def plot_extra() -> Iterator[None]:
    """Name the extra to install if an import of matplotlib inside the block fails.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> with plot_extra():
        ...     from matplotlib.figure import Figure
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            "figures need matplotlib, which is missing: pip install 'pear-lightning[plot]'"
        ) from error


def check_plot_extra() -> None:
    """Raise unless matplotlib is installed, for code that draws only at its end.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> check_plot_extra()
    """
    with plot_extra():
        import_module("matplotlib.figure")
