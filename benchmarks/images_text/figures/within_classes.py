"""How well agreement and confidence predict which samples are explained faithfully."""

from typing import Any

from benchmarks.images_text.records import problems_of
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.within_classes import auroc_of, column
from benchmarks.shared.drawing import BLUE, GREEN, ORANGE, PURPLE
from benchmarks.shared.finished_runs import Runs


def draw_within(plt: Any, runs: Runs) -> Any:
    """Draw the AUROC of each model.

    Args:
        plt: ``matplotlib.pyplot``.
        runs: Records.
    """
    problems = problems_of(runs)
    if not problems:
        return None
    kinds = (
        ("agreement", False, BLUE, "agreement"),
        ("trained pair", False, GREEN, "agreement of the gradient pair"),
        ("confidence", False, ORANGE, "confidence"),
        ("agreement", True, PURPLE, "agreement, similar confidence"),
    )
    figure, ax = plt.subplots(figsize=(7.5, 1.3 + 0.6 * len(problems)), layout="constrained")
    for row, problem in enumerate(problems):
        own = [run for run in runs if run["problem"] == problem]
        for place, (predictor, by_thirds, colour, label) in enumerate(kinds):
            values = [auroc_of(run, predictor, by_thirds=by_thirds) for run in own]
            y = row + 0.2 * (place - 1.5)
            ax.plot(values, [y] * len(values), "o", ms=4, alpha=0.7, color=colour,
                    label=label if row == 0 else None)  # fmt: skip
            mean = sum(values) / len(values)
            ax.plot([mean, mean], [y - 0.08, y + 0.08], lw=2.5, color=colour)
    ax.axvline(0.5, color="black", lw=0.8)
    ax.set_yticks(range(len(problems)), [TITLES[problem] for problem in problems])
    ax.invert_yaxis()
    ax.set_xlabel("AUROC of “more faithful than the median of its class” (.5 = no use)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.35, -0.2), ncol=2)
    return figure


def draw_samples(plt: Any, runs: Runs) -> Any:
    """Draw agreement against faithfulness of the samples of one model for each problem.

    Args:
        plt: ``matplotlib.pyplot``.
        runs: Records.
    """
    problems = problems_of(runs)
    if not problems:
        return None
    figure, axes = plt.subplots(
        1, len(problems), figsize=(2.9 * len(problems), 2.9), layout="constrained", squeeze=False
    )
    for ax, problem in zip(axes[0], problems, strict=True):
        run = next(run for run in runs if run["problem"] == problem)
        shown = ax.scatter(
            column(run, "agreement").numpy(),
            column(run, "faithfulness").numpy(),
            c=column(run, "confidence").numpy(),
            s=10,
            cmap="viridis",
            vmin=0,
            vmax=1,
        )
        ax.set_title(f"{TITLES[problem]}\n{run['method']}", fontsize=8)
        ax.set_xlabel("agreement of the explainers")
    axes[0, 0].set_ylabel("faithfulness (mean rank of ten metrics)")
    figure.colorbar(shown, ax=axes[0, -1], label="confidence")
    return figure
