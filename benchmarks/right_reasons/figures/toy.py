"""Where the toy model looks as λ and the annotations grow."""

from typing import Any

import numpy as np

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.settings import TOY_ROWS, TOY_SWEEP
from benchmarks.shared.drawing import BLUE, GREY, RED
from benchmarks.shared.finished_runs import Runs


def draw_toy(plt: Any, runs: Runs) -> Any:
    """Draw where the toy model looks as λ and the annotations grow."""
    by_weight = [(0.0, "none"), *((weight, f"λ={weight:g}") for weight in TOY_SWEEP)]
    by_rows = [(0, "none"), *((n, f"{n} rows") for n in TOY_ROWS), (20_000, "λ=1000")]
    if not any(runs_of(runs, "toy", name) for _, name in by_weight):
        return None
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    for axis, points, label in (
        (axes[0], by_weight, "λ, all rows annotated"),
        (axes[1], by_rows, "annotated rows of 20,000, λ = 1000"),
    ):
        present = [
            (x, runs_of(runs, "toy", name)) for x, name in points if runs_of(runs, "toy", name)
        ]
        places = range(len(present))
        for pick, colour, title in (
            ("corners", RED, "corners (penalised)"),
            ("top_middle", BLUE, "top middle"),
        ):
            values = [[run["models"][0][pick] for run in chosen] for _, chosen in present]
            axis.plot(places, [np.mean(v) for v in values], color=colour, label=title)
            for place, each in zip(places, values, strict=True):
                axis.plot([place] * len(each), each, ".", color=colour, alpha=0.5)
        accuracy = [np.mean([r["models"][0]["test"] for r in chosen]) for _, chosen in present]
        axis.plot(places, accuracy, color=GREY, linestyle=":", label="test accuracy")
        axis.set_xticks(list(places), [f"{x:g}" for x, _ in present])
        axis.set_xlabel(label)
    axes[0].set_ylabel("share of what is looked at")
    axes[0].legend(fontsize=8)
    return figure
