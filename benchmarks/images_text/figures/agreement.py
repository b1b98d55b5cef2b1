"""Agreement of each method, trained pair and other pairs."""

from typing import Any

from benchmarks.images_text.records import methods_of, over_seeds, problems_of
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.tables.models import mean_agreement
from benchmarks.shared.drawing import BLUE, GREEN, GREY, ORANGE
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.mean_and_interval import interval

COLOURS = {
    "plain": GREY,
    "PEAR": BLUE,
    "PEAR, 1/4 of the rows": GREEN,
    "PEAR, λ = .5": ORANGE,
}


def draw_agreement(plt: Any, runs: Runs) -> Any:
    """Draw points for seeds, and a bar at their mean.

    Args:
        plt: ``matplotlib.pyplot``.
        runs: Records.
    """
    problems = problems_of(runs)
    if not problems:
        return None
    figure, axes = plt.subplots(
        1, 2, figsize=(8, 1.1 + 0.6 * len(problems)), sharey=True, layout="constrained"
    )
    for ax, trained in zip(axes, (True, False), strict=True):
        for row, problem in enumerate(problems):
            methods = methods_of(runs, problem)
            for place, method in enumerate(methods):
                values = over_seeds(
                    runs, problem, method, lambda run, t=trained: mean_agreement(run, trained=t)
                )
                y = row + 0.22 * (place - (len(methods) - 1) / 2)
                mean, _ = interval(values)
                ax.barh(y, mean - 0.5, left=0.5, height=0.2, color=COLOURS[method], alpha=0.35)
                ax.plot(values, [y] * len(values), "o", ms=4, color=COLOURS[method], label=method)
        ax.axvline(0.5, color="black", lw=0.8)
        ax.set_xlim(0.45, 1)
        ax.set_title("trained pair" if trained else "other pairs")
        ax.set_xlabel("pairwise rank agreement (chance .5)")
    axes[0].set_yticks(range(len(problems)), [TITLES[problem] for problem in problems])
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes[1].legend(unique.values(), unique.keys(), loc="lower right")
    return figure
