"""Accuracy on Decoy MNIST over λ."""

from typing import Any

import numpy as np

from benchmarks.right_reasons.tables.sweep import AUTHORS_SWEEP, sweep_runs
from benchmarks.shared.drawing import BLUE, GREY
from benchmarks.shared.finished_runs import Runs


def draw_sweep(plt: Any, runs: Runs) -> Any:
    """Draw accuracy on Decoy MNIST over λ, ours and the authors'."""
    ours = {weight: sweep_runs(runs, weight) for weight in AUTHORS_SWEEP}
    ours = {weight: chosen for weight, chosen in ours.items() if chosen}
    if len(ours) < 3:
        return None
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    theirs = [test for _, test in AUTHORS_SWEEP.values()]
    axis.plot(list(AUTHORS_SWEEP), theirs, color=GREY, marker=".", label="authors, test")
    for pick, style in (("test", "-"), ("train", ":")):
        values = [[run["models"][0][pick] for run in chosen] for chosen in ours.values()]
        axis.plot(
            list(ours), [np.mean(each) for each in values], style, color=BLUE, label=f"ours, {pick}"
        )
        for weight, each in zip(ours, values, strict=True):
            axis.plot([weight] * len(each), each, ".", color=BLUE, alpha=0.5)
    axis.set_xscale("log")
    axis.set_xlabel("λ on pixels 0..255")
    axis.set_ylabel("accuracy")
    axis.legend(fontsize=8)
    return figure
