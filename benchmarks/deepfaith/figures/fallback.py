"""Mean faithfulness over the share of samples that falls back."""

from typing import Any

from benchmarks.deepfaith.confidence_run import SHARES
from benchmarks.deepfaith.records import Records, of_kind
from benchmarks.deepfaith.settings import DEFINITIONS, TASKS
from benchmarks.shared.drawing import BLUE, GREEN, GREY, RED, legend_of

_COLOURS = {"centered_logit, 16": RED, "prob, 16": BLUE, "random": GREY, "oracle": GREEN}


def draw_fallback(plt: Any, records: Records) -> Any:
    """Draw the curves, one panel for each task."""
    found = of_kind(records, "confidence")
    if not found:
        return None
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns, 2.7 * rows), layout="constrained", squeeze=False
    )
    for ax, (task, record) in zip(axes.flat, found.items(), strict=False):
        for name, values in record["curves"][DEFINITIONS[0]].items():
            ax.plot(
                [100 * share for share in SHARES], values, ".-", color=_COLOURS[name], label=name
            )
        ax.set_title(f"{TASKS[task].title}, to {record['fallback']}", loc="left", fontsize=9)
        ax.set_xlabel("% of the samples that fall back")
        ax.set_ylabel("mean faithfulness")
    for ax in list(axes.flat)[len(found) :]:
        ax.axis("off")
    figure.legend(*legend_of(axes.flat), loc="outside upper center", ncols=4)
    return figure
