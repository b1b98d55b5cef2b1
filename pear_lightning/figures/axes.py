"""The figure that axes belong to."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
