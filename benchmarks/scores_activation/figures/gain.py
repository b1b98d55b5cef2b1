"""Where accuracy is gained."""

from typing import Any

import numpy as np

from benchmarks.scores_activation.methods import (
    DECAYED,
    DEFAULT,
    NONE,
    ORACLE,
    TUNED,
)
from benchmarks.scores_activation.records import gains, select
from benchmarks.scores_activation.table_settings import GAIN
from benchmarks.shared.drawing import BLUE, GREY, ORANGE, RED
from benchmarks.shared.finished_runs import Runs


def draw_gain(plt: Any, runs: Runs) -> Any:
    """Draw the points of accuracy over training without a gate, for few rows and many features."""
    shown = {DECAYED: GREY, DEFAULT: ORANGE, TUNED: RED, ORACLE: BLUE}
    widths = sorted({int(table.split("/")[0]) for table in GAIN})
    sizes = sorted({int(table.split(", ")[1]) for table in GAIN})
    figure, axes = plt.subplots(
        1, len(widths), figsize=(10, 3), layout="constrained", sharey=True, squeeze=False
    )
    for axis, d in zip(axes[0], widths, strict=True):
        for i, (method, colour) in enumerate(shown.items()):
            for place, n in enumerate(sizes):
                table = f"{d}/5, {n}"
                plain = select(runs, "gain", table, NONE)
                points = gains(select(runs, "gain", table, method), plain)
                if not points:
                    continue
                error = np.std(points, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0
                axis.bar(
                    place + 0.2 * (i - 1.5),
                    np.mean(points),
                    0.18,
                    yerr=error,
                    color=colour,
                    error_kw={"linewidth": 0.8},
                    label=method if place == 0 else None,
                )
        for claim, style in ((11.24, "--"), (29.33, ":")):
            label = f"abstract: +{claim}"
            axis.axhline(claim, color="0.5", linewidth=0.8, linestyle=style, zorder=0, label=label)
        axis.axhline(0, color="black", linewidth=0.6)
        axis.set_xticks(range(len(sizes)), sizes)
        axis.set_xlabel("training rows")
        axis.set_title(f"{d} features, 5 relevant")
    axes[0, 0].set_ylabel("gain over no gate, points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    return figure
