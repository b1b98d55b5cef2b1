"""Cost of a training step by the levers."""

from typing import Any

from benchmarks.images_text.tables.cost import TITLES
from benchmarks.shared.drawing import BLUE, GREY
from benchmarks.shared.finished_runs import Runs


def draw_cost(plt: Any, costs: Runs) -> Any:
    """Draw the time of a step, relative to a plain one.

    Args:
        plt: ``matplotlib.pyplot``.
        costs: Records.
    """
    if not costs:
        return None
    figure, axes = plt.subplots(
        1, len(costs), figsize=(3 + 2.6 * len(costs), 3), sharey=True, layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for ax, cost in zip(axes[0], costs, strict=True):
        names = list(cost["seconds"])[1:]
        ratios = [cost["seconds"][name] / cost["seconds"]["plain"] for name in names]
        colours = [BLUE if name.startswith("shipped") else GREY for name in names]
        ax.barh(range(len(names)), ratios, color=colours)
        for row, ratio in enumerate(ratios):
            ax.text(ratio, row, f" {ratio:.1f}", va="center", fontsize=8)
        ax.axvline(2.5, color="black", lw=0.8, ls=":")
        ax.set_title(f"{TITLES[cost['network']]}\n{cost['device']}, batch {cost['batch_size']}")
        ax.set_xlabel("times a plain step")
        ax.set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    return figure
