"""Faithfulness over price."""

from typing import Any

from benchmarks.deepfaith.records import Records, main_record, of_kind
from benchmarks.deepfaith.settings import DEFINITIONS, OURS, TASKS
from benchmarks.shared.drawing import BLUE, RED


def draw_price(plt: Any, records: Records) -> Any:
    """Draw the mean rank over the milliseconds of an explanation, one panel for each task."""
    found = {
        task: each for task, each in of_kind(records, "cost").items() if main_record(records, task)
    }
    if not found:
        return None
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.9 * rows), layout="constrained", squeeze=False
    )
    for ax, (task, cost) in zip(axes.flat, found.items(), strict=False):
        main = main_record(records, task)
        assert main is not None
        ranking = main[DEFINITIONS[0]]
        ranks = dict(zip(ranking["explainers"], ranking["mean_rank"], strict=True))
        for name, ms in cost["ms"].items():
            own = name == OURS
            ax.plot(ms, ranks[name], "o", ms=6 if own else 4, color=RED if own else BLUE)
            ax.annotate(name, (ms, ranks[name]), (3, 2), textcoords="offset points", fontsize=5.5)
        ax.set_xscale("log")
        ax.invert_yaxis()
        ax.set_title(TASKS[task].title, loc="left")
        ax.set_xlabel("ms per explanation")
        ax.set_ylabel("mean rank")
    for ax in list(axes.flat)[len(found) :]:
        ax.axis("off")
    return figure
