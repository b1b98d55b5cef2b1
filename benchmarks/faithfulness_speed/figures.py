"""Figure of the speed of the faithfulness metrics."""

from collections.abc import Sequence
from typing import Any

from benchmarks.faithfulness_speed.tables import Record
from benchmarks.shared.drawing import BLUE, RED


def drawn(records: Sequence[Record]) -> list[Record]:
    """Return the records that the figure shows: metrics of Quantus, with the first threads."""
    return [
        record
        for record in records
        if record["theirs"]
        and record["peer"].startswith("Quantus")
        and record["threads"] == records[0]["threads"]
        and record["metric"] != "max-sensitivity"  # also takes a backward pass
    ]


def draw_times(plt: Any, records: Sequence[Record]) -> Any:
    """Draw the time of one evaluation, in and outside the model."""
    problems = list(dict.fromkeys(record["problem"] for record in records))
    figure, axes = plt.subplots(
        1,
        len(problems),
        figsize=(4.2 * len(problems) + 1.2, 3.9),
        squeeze=False,
        layout="constrained",
    )
    for axis, problem in zip(axes[0], problems, strict=True):
        rows = [record for record in records if record["problem"] == problem]
        for offset, side, name, colour in (
            (-0.2, "theirs", "Quantus", RED),
            (0.2, "ours", "pear-lightning", BLUE),
        ):
            scale = [1e6 / (row[side]["evaluations"] * row["samples"]) for row in rows]
            model = [row[side]["model"] * s for row, s in zip(rows, scale, strict=True)]
            whole = [row[side]["seconds"] * s for row, s in zip(rows, scale, strict=True)]
            rest = [max(0.0, w - m) for w, m in zip(whole, model, strict=True)]
            places = [index + offset for index in range(len(rows))]
            axis.barh(places, model, 0.36, color=colour, label=f"{name}: model")
            axis.barh(
                places, rest, 0.36, left=model, color=colour, alpha=0.4, label=f"{name}: the rest"
            )
        for place, row in enumerate(rows):
            ratio = row["theirs"]["seconds"] / row["ours"]["seconds"]
            micro = 1e6 / (row["theirs"]["evaluations"] * row["samples"])
            axis.text(row["theirs"]["seconds"] * micro, place - 0.2, f" {ratio:.1f}×", va="center")
        axis.set_yticks(range(len(rows)), [row["metric"] for row in rows])
        axis.set_xlim(0, 1.18 * axis.get_xlim()[1])
        axis.set_title(problem)
        axis.invert_yaxis()
    figure.supxlabel(
        "microseconds for one evaluation of one sample (×: how many times faster)", fontsize=10
    )
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside upper center")
    return figure
