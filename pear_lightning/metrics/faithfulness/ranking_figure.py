"""The figure of a ranking of explainers."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pear_lightning.metrics.faithfulness.explainer_ranking import ExplainerRanking

_BLUE, _GREY = "#2a6fb0", "#777777"


def draw_ranking(
    ranking: "ExplainerRanking", axes: "Sequence[Axes] | None", controls: Collection[str]
) -> tuple["Figure", list["Axes"]]:
    """Draw mean ranks with their intervals, and the rank by each metric as a heat map.

    Args:
        ranking: What to draw.
        axes: Two axes to draw on; None for a new figure.
        controls: Names of explainers shown in grey.

    Returns:
        Figure and both axes.

    Raises:
        ImportError: If matplotlib is missing.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plot() needs matplotlib: pip install 'pear-lightning[plot]'") from error
    n_explainers, n_metrics = len(ranking.explainers), len(ranking.metrics)
    if axes is None:
        _, axes = plt.subplots(
            ncols=2,
            sharey=True,
            figsize=(5 + 0.55 * n_metrics, 1.3 + 0.32 * n_explainers),
            width_ratios=[4, 0.6 * n_metrics],
            layout="constrained",
        )
    left, right = axes
    order = ranking.order
    names = [ranking.explainers[e] for e in order]
    colours = [_GREY if name in controls else _BLUE for name in names]
    _draw_means(left, ranking, order, colours)
    _draw_ranks(right, ranking, order)
    left.set_yticks(range(n_explainers), names)
    for label, colour in zip(left.get_yticklabels(), colours, strict=True):
        label.set_color("black" if colour == _BLUE else _GREY)
    figure = left.get_figure(root=True)
    assert figure is not None  # axes that are drawn on belong to a figure
    return figure, [left, right]


def _draw_means(
    ax: "Axes", ranking: "ExplainerRanking", order: Sequence[int], colours: Sequence[str]
) -> None:
    for row, (place, colour) in enumerate(zip(order, colours, strict=True)):
        low, high = ranking.interval[place].tolist()
        ax.plot([low, high], [row, row], color=colour, lw=3, alpha=0.45, solid_capstyle="butt")
        ax.plot(float(ranking.mean_rank[place]), row, "o", color=colour, ms=5)
    ax.set_xlim(0.5, len(order) + 0.5)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(
        f"mean rank over {len(ranking.metrics)} metrics, 1 is best\n"
        f"({100 * ranking.confidence_level:g} % interval over {ranking.n_samples} samples)"
    )


def _draw_ranks(ax: "Axes", ranking: "ExplainerRanking", order: Sequence[int]) -> None:
    values = ranking.ranks[:, order].T
    span = max(len(order) - 1, 1)
    ax.imshow(values.numpy(), cmap="viridis_r", vmin=1, vmax=1 + span, aspect="auto")
    for row, column in torch.cartesian_prod(*map(torch.arange, values.shape)).tolist():
        value = float(values[row, column])
        ax.text(
            column,
            row,
            f"{value:g}",
            ha="center",
            va="center",
            fontsize="small",
            color="white" if (value - 1) / span > 0.45 else "black",
        )
    ax.set_xticks(range(len(ranking.metrics)), ranking.metric_labels())
    ax.set_xlabel("rank by each metric")
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.tick_params(length=0, labelleft=False)
