"""Losses and weight over training."""

from typing import Any

from benchmarks.deepfaith.records import Records, of_kind
from benchmarks.deepfaith.settings import TASKS
from benchmarks.shared.drawing import BLUE, GREY, RED, legend_of

_SHOWN = ("paper: full", "paper: L_PC only", "paper: L_LC only", "ours")
_PARTS = {
    "local_correlation_loss": (BLUE, "local correlation loss"),
    "pattern_consistency_loss": (RED, "pattern consistency loss"),
    "alpha": (GREY, "alpha"),
}


def draw_curves(plt: Any, records: Records) -> Any:
    """Draw the training curves of the ablations, a row for each task."""
    found = of_kind(records, "ablation")
    names = [name for name in _SHOWN if any(name in each["variants"] for each in found.values())]
    if not names:
        return None
    figure, axes = plt.subplots(
        len(found),
        len(names),
        figsize=(0.6 + 2.6 * len(names), 2.3 * len(found)),
        layout="constrained",
        squeeze=False,
        sharey=True,
    )
    for row, (task, record) in zip(axes, found.items(), strict=True):
        for ax, name in zip(row, names, strict=True):
            curves = record["variants"].get(name, {"curves": {}})["curves"]
            for part, (colour, label) in _PARTS.items():
                if part in curves:
                    epochs = range(1, len(curves[part]) + 1)
                    style = "--" if part == "alpha" else "-"
                    ax.plot(epochs, curves[part], style, color=colour, label=label)
            ax.set_title(f"{TASKS[task].title}: {name}", loc="left", fontsize=8)
            ax.set_xlabel("epoch")
    figure.legend(*legend_of(axes.flat), loc="outside upper center", ncols=3, fontsize=7)
    return figure
