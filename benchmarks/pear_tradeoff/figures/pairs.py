"""Agreement of every pair of explainers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pear_tradeoff.protocols import PAPER, pairs_of
from benchmarks.pear_tradeoff.records import LOGIT, PAPER_TITLES, PRA, agreement, group
from benchmarks.shared.drawing import write_in_cell
from benchmarks.shared.finished_runs import Runs


def draw_pairs(plt: Any, runs: Runs) -> Any:
    """Draw the agreement of every pair at λ = 0 and 0.5 and of the linear model."""
    names = ("paper λ=0", "paper λ=0.5", "linear")
    figure, axes = plt.subplots(3, 3, figsize=(9.6, 9.4), layout="constrained")
    places, empty, image = range(len(PAPER)), [""] * len(PAPER), None
    for column, (data_set, title) in enumerate(PAPER_TITLES.items()):
        for row, name in enumerate(names):
            ax = axes[row, column]
            chosen = group(runs, data_set, name)
            if not chosen:
                ax.axis("off")
                continue
            values = _agreements(chosen)
            image = ax.imshow(values, vmin=0.4, vmax=1, cmap="viridis")
            for i in places:
                for j in places:
                    write_in_cell(
                        ax,
                        i,
                        j,
                        f"{values[i, j]:.2f}".lstrip("0"),
                        light=values[i, j] < 0.75,
                        fontsize=8,
                        weight="bold" if i == j else "normal",
                    )
            ax.set_xticks(places, PAPER if row == 2 else empty, rotation=45, ha="right")
            ax.set_yticks(places, PAPER if column == 0 else empty)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            label = name.removeprefix("paper ") if name != "linear" else "linear model"
            ax.set_title(f"{title}, {label}")
    if image is not None:
        figure.colorbar(image, ax=axes, shrink=0.5, label="PRA (diagonal: with itself; chance 0.5)")
    return figure


def _agreements(runs: Runs) -> NDArray[np.float64]:
    """Return the mean agreement of each pair, on the diagonal of an explainer with itself."""
    values = np.eye(len(PAPER))
    for a, b in pairs_of(PAPER):
        i, j = PAPER.index(a), PAPER.index(b)
        values[i, j] = values[j, i] = np.mean(
            [agreement(run, [(a, b)], output=LOGIT) for run in runs]
        )
    index = runs[0]["metrics"].index(PRA)
    for i, each in enumerate(PAPER):
        own = [run["self_agreement"][each][index] for run in runs if each in run["self_agreement"]]
        values[i, i] = np.mean(own) if own else 1.0
    return values
