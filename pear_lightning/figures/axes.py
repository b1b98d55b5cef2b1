"""Axes, and the figure that they belong to."""

from typing import TYPE_CHECKING

from pear_lightning.figures.plot_extra import plot_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def blank_axes(width: float, height: float) -> "Axes":
    """Return axes of a figure that is not registered with ``pyplot`` and needs no closing.

    Args:
        width: Width of the figure in inches.
        height: Height of the figure in inches.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> figure_of(blank_axes(4, 3)).get_size_inches().tolist()
        [4.0, 3.0]
    """
    with plot_extra():
        from matplotlib.figure import Figure
    return Figure(figsize=(width, height), layout="constrained").subplots()


def figure_of(ax: "Axes") -> "Figure":
    """Return the whole figure of axes, also if they are in a subfigure.

    Args:
        ax: Axes of a figure.

    Example:
        >>> from matplotlib.figure import Figure
        >>> figure = Figure()
        >>> figure_of(figure.subfigures(1, 2)[0].subplots()) is figure
        True
    """
    return ax.figure.canvas.figure
