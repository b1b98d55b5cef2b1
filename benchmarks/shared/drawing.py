"""What all figures of the benchmarks share: matplotlib without a screen, a style and colours."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BLUE, RED, GREEN, ORANGE, PURPLE, GREY = (
    "#2a6fb0",
    "#c2452d",
    "#3b8f4f",
    "#c98a1b",
    "#7a4fa0",
    "#777777",
)

_STYLE: dict[Any, Any] = {
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


def save_figures(figures: Mapping[str, Callable[[Any], Any]], output: Path) -> None:
    """Draw figures and save each as ``<name>.png``.

    Args:
        figures: Functions by name, from ``matplotlib.pyplot`` to a figure; ``None`` where there is
            nothing to draw.
        output: Folder to write to.

    Raises:
        ImportError: If matplotlib is missing.
    """
    with pyplot() as plt:
        for name, draw in figures.items():
            figure = draw(plt)
            if figure is not None:
                figure.savefig(output / f"{name}.png")


def legend_of(axes: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return the entries of a legend that several axes share, each label once.

    Args:
        axes: The axes.

    Returns:
        Handles and labels.
    """
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values()), list(entries)


def write_in_cell(
    ax: Any, row: int, column: int, text: str, *, light: bool, **options: Any
) -> None:
    """Write into a cell of an image.

    Args:
        ax: Its axes.
        row: Row of the cell.
        column: Column of the cell.
        text: What to write.
        light: White, for a dark cell; else black.
        **options: Of the text.
    """
    colour = "white" if light else "black"
    ax.text(column, row, text, ha="center", va="center", color=colour, **options)
