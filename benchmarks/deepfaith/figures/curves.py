"""Losses and weight over training."""

from typing import Any

from benchmarks.deepfaith.records import Records, of_kind
from benchmarks.deepfaith.settings import TASKS
from benchmarks.shared.drawing import BLUE, GREY, RED

_SHOWN = ("paper: full", "paper: L_PC only", "paper: L_LC only", "ours")
_PARTS = {
    "local_correlation_loss": (BLUE, "local correlation loss"),
    "pattern_consistency_loss": (RED, "pattern consistency loss"),
    "alpha": (GREY, "alpha"),
}


def draw_curves(plt: Any, records: Records) -> Any:
    """Draw the training curves of the ablations, a row for each task."""
    found = of_kind(records, "ablation")
    if not found:
        return None
    figure, axes = plt.subplots(
        len(found),
        len(_SHOWN),
        figsize=(2.6 * len(_SHOWN), 2.3 * len(found)),
        layout="constrained",
        squeeze=False,
        sharey=True,
    )
    for row, (task, record) in zip(axes, found.items(), strict=True):
        for ax, name in zip(row, _SHOWN, strict=True):
            curves = record["variants"][name]["curves"]
            for part, (colour, label) in _PARTS.items():
                if part in curves:
                    epochs = range(1, len(curves[part]) + 1)
                    style = "--" if part == "alpha" else "-"
                    ax.plot(epochs, curves[part], style, color=colour, label=label)
            ax.set_title(f"{TASKS[task].title}: {name}", loc="left", fontsize=8)
            ax.set_xlabel("epoch")
    axes[0][0].legend(fontsize=6)
    return figure
