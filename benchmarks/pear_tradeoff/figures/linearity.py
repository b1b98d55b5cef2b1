"""Agreement against linearity."""

from typing import Any

import numpy as np

from benchmarks.pear_tradeoff.records import (
    PAPER_TITLES,
    UNTRAINED,
    agreement,
    group,
    settings_of,
)
from benchmarks.shared.drawing import BLUE, RED
from benchmarks.shared.finished_runs import Runs


def draw_linearity(plt: Any, runs: Runs) -> Any:
    """Draw the agreement of untrained pairs against linearity, for PEAR and for weight decay."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained", sharey=True)
    for ax, (data_set, title) in zip(axes, PAPER_TITLES.items(), strict=True):
        for settings, colour, marker, label in (
            (settings_of(runs, "paper"), BLUE, "o", "PEAR, by λ"),
            (["paper λ=0", *settings_of(runs, "decay")], RED, "s", "λ = 0, by weight decay"),
        ):
            points = []
            for name in settings:
                chosen = group(runs, data_set, name)
                if not chosen:
                    continue
                x = np.mean([r["fvu"] for r in chosen])
                y = np.mean([agreement(r, UNTRAINED) for r in chosen])
                points.append((x, y))
                if colour == RED and name == "paper λ=0":
                    continue  # where both lines begin
                option = chosen[0]["options"]["weight" if colour == BLUE else "weight_decay"]
                ax.annotate(
                    f"{option:g}",
                    (x, y),
                    (5, 5),
                    textcoords="offset points",
                    color=colour,
                    fontsize=8,
                )
            if points:
                ax.plot(
                    *zip(*points, strict=True),
                    marker=marker,
                    color=colour,
                    lw=1.2,
                    ms=4,
                    label=label,
                )
        ax.set_title(title, weight="bold")
        ax.set_xlabel("FVU: variance that an affine fit leaves")
    axes[0].set_ylabel("mean PRA of the 14 untrained pairs")
    if axes[0].get_legend_handles_labels()[0]:
        axes[0].legend()
    return figure
