"""The figure of the agreement of explainers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pear_lightning.figures.axes import figure_of
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, COLORMAP, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARK_BELOW = 0.6  # of the way from the lowest to the highest value


def draw_agreement(
    names: Sequence[str],
    values: Tensor,
    title: str,
    lowest: float = 0.0,
    ax: "Axes | None" = None,
) -> tuple["Figure", "Axes"]:
    """Draw the agreement of every pair of explainers as a heat map with its values.

    Args:
        names: The E explainers, in rows and columns.
        values: ``(E, E)``, at most 1; the diagonal is printed in bold.
        title: Title of the figure.
        lowest: Lower end of the colours, the smallest value that the metric can have; the upper
            end is 1.
        ax: Axes to draw on; None for a new figure.

    Returns:
        Figure and axes.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> _ = draw_agreement(["gradient", "lime"], torch.eye(2), "feature agreement", ax=ax)
        >>> [text.get_text() for text in ax.texts]
        ['1.00', '0.00', '0.00', '1.00']
    """
    with plot_extra():
        import matplotlib.pyplot as plt
    size = len(names)
    if ax is None:
        _, ax = plt.subplots(figsize=(2.5 + 0.75 * size, 2 + 0.7 * size), layout="constrained")
    image = ax.imshow(values.cpu().numpy(), cmap=COLORMAP, vmin=lowest, vmax=1)
    for row, of_row in enumerate(values.tolist()):
        for column, value in enumerate(of_row):
            ax.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                color=text_colour((value - lowest) / (1 - lowest) < _DARK_BELOW),
                weight="bold" if row == column else "normal",
            )
    ax.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor", **AS_IT_IS)
    ax.set_yticks(range(size), names, **AS_IT_IS)
    ax.set_title(title, fontsize="medium", **AS_IT_IS)
    figure = figure_of(ax)
    figure.colorbar(image, ax=ax, shrink=0.8)
    return figure, ax
