"""What all figures of the benchmarks share: matplotlib without a screen, a style and colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BLUE, RED, GREEN, ORANGE, PURPLE, GREY = (
    "#2a6fb0",
    "#c2452d",
    "#3b8f4f",
    "#c98a1b",
    "#7a4fa0",
    "#777777",
)

_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "savefig.dpi": 160,
}


@contextmanager
def pyplot() -> Iterator[Any]:
    """Give ``matplotlib.pyplot`` in the style of the benchmarks; figures are closed at the end.

    Raises:
        ImportError: If matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("the figures need matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context(_STYLE):
        yield plt
        plt.close("all")
