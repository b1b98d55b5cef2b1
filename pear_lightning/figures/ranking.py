"""The figure of a ranking of explainers."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pear_lightning.figures.axes import figure_of
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, BLUE, GREY, REVERSED_COLORMAP, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DARK_ABOVE = 0.45  # of the way from the best to the worst rank


def draw_ranking(
    names: Sequence[str],
    mean_rank: Tensor,
    interval: Tensor,
    ranks: Tensor,
    metric_labels: Sequence[str],
    interval_label: str,
    axes: "Sequence[Axes] | None" = None,
    controls: Collection[str] = (),
) -> tuple["Figure", list["Axes"]]:
    """Draw mean ranks with their intervals, and the rank by each metric as a heat map.

    Args:
        names: Explainers, from top to bottom.
        mean_rank: ``(E,)``.
        interval: Lower and upper ends, ``(E, 2)``.
        ranks: ``(M, E)``.
        metric_labels: What the metrics are called.
        interval_label: What the intervals are.
        axes: Two axes to draw on; None for a new figure.
        controls: Names of explainers shown in grey.

    Returns:
        Figure and both axes.

    Raises:
        ImportError: If matplotlib is missing.
    """
    with plot_extra():
        import matplotlib.pyplot as plt
    if axes is None:
        _, axes = plt.subplots(
            ncols=2,
            sharey=True,
            figsize=(5 + 0.55 * len(metric_labels), 1.3 + 0.32 * len(names)),
            width_ratios=[4, 0.6 * len(metric_labels)],
            layout="constrained",
        )
    left, right = axes
    colours = [GREY if name in controls else BLUE for name in names]
    _draw_means(left, mean_rank.tolist(), interval.tolist(), colours)
    left.set_xlabel(f"mean rank over {len(metric_labels)} metrics, 1 is best\n({interval_label})")
    left.set_yticks(range(len(names)), names, **AS_IT_IS)
    for label, colour in zip(left.get_yticklabels(), colours, strict=True):
        label.set_color("black" if colour == BLUE else GREY)
    _draw_ranks(right, ranks.T)
    right.set_xticks(range(len(metric_labels)), metric_labels, **AS_IT_IS)
    return figure_of(left), [left, right]


def _draw_means(
    ax: "Axes", means: Sequence[float], intervals: Sequence[Sequence[float]], colours: Sequence[str]
) -> None:
    from matplotlib.ticker import MaxNLocator

    for row, (mean, ends, colour) in enumerate(zip(means, intervals, colours, strict=True)):
        ax.plot(ends, [row, row], color=colour, lw=3, alpha=0.45, solid_capstyle="butt")
        ax.plot(mean, row, "o", color=colour, ms=5)
    ax.set_xlim(0.5, len(means) + 0.5)
    ax.set_ylim(len(means) - 0.5, -0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(axis="x", alpha=0.3)


def _draw_ranks(ax: "Axes", ranks: Tensor) -> None:
    last = max(len(ranks), 2)
    ax.imshow(ranks.numpy(), cmap=REVERSED_COLORMAP, vmin=1, vmax=last, aspect="auto")
    for row, column in torch.cartesian_prod(*map(torch.arange, ranks.shape)).tolist():
        value = float(ranks[row, column])
        ax.text(
            column,
            row,
            f"{value:g}",
            ha="center",
            va="center",
            fontsize="small",
            color=text_colour((value - 1) / (last - 1) > _DARK_ABOVE),
        )
    ax.set_ylim(len(ranks) - 0.5, -0.5)
    ax.set_xlabel("rank by each metric")
    ax.tick_params(length=0, labelleft=False)
