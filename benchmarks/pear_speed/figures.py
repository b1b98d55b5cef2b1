"""Figure of the speed of PEAR."""

from collections.abc import Sequence
from typing import Any

from benchmarks.pear_speed.steps import VARIANTS
from benchmarks.shared.drawing import BLUE, GREY, RED


def draw_steps(plt: Any, records: Sequence[dict[str, Any]]) -> Any:
    """Draw the time of each variant's step over that of a plain one."""
    shapes = list(dict.fromkeys(row["shape"] for row in records))
    figure, axes = plt.subplots(
        1,
        len(shapes),
        figsize=(4.2 * len(shapes) + 1.8, 3.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, shape in zip(axes[0], shapes, strict=True):
        rows = [row for row in records if row["shape"] == shape]
        plain = rows[0]["median"]
        names = [VARIANTS[row["variant"]] for row in rows]
        ratios = [row["median"] / plain for row in rows]
        axis.barh(names, ratios, color=[GREY, RED, *[BLUE] * (len(rows) - 2)])
        axis.plot([row["bound"] for row in rows], names, "k|", markersize=14, markeredgewidth=2)
        for name, ratio, row in zip(names, ratios, rows, strict=True):
            axis.text(max(ratio, row["bound"]) * 1.12, name, f"{ratio:.1f}", va="center")
        axis.set_xscale("log")
        axis.set_xlim(0.7, 2.4 * max(max(ratios), *(row["bound"] for row in rows)))
        axis.set_title(shape)
    axes[0][0].invert_yaxis()
    figure.supxlabel(
        "time of a step over that of plain cross-entropy (black mark: multiplications alone)",
        fontsize=10,
    )
    return figure
