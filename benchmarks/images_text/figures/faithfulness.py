"""What PEAR adds to each faithfulness metric."""

from typing import Any

import numpy as np

from benchmarks.images_text.records import over_seeds, paired, problems_of
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.tables.faithfulness import mean_faithfulness
from benchmarks.shared.drawing import write_in_cell
from benchmarks.shared.finished_runs import Run, Runs
from pear_lightning.metrics.faithfulness.short_names import metric_labels


def draw_faithfulness(plt: Any, runs: Runs, method: str = "PEAR") -> Any:
    """Draw differences from plain training, turned so that above 0 is more faithful.

    Args:
        plt: ``matplotlib.pyplot``.
        runs: Records.
        method: The method.
    """
    directions = runs[0]["higher_is_better"] if runs else {}
    rows, names = [], []
    for problem in problems_of(runs):
        cells = []
        for metric, higher in directions.items():

            def value(run: Run, metric: str = metric) -> float:
                return mean_faithfulness(run, metric)

            found = paired(runs, problem, method, value)
            plain = over_seeds(runs, problem, "plain", value)
            if found:
                size = max(abs(np.mean(plain)), 1e-9)
                cells.append((1 if higher else -1) * np.mean(found) / size)
        if cells:
            rows.append(cells)
            names.append(TITLES[problem])
    if not rows:
        return None
    table = 100 * np.array(rows)
    figure, ax = plt.subplots(figsize=(9, 1.2 + 0.5 * len(rows)), layout="constrained")
    largest = 30
    ax.imshow(table, cmap="RdBu", vmin=-largest, vmax=largest, aspect="auto")
    for row, values in enumerate(table):
        for at, value in enumerate(values):
            write_in_cell(ax, row, at, f"{value:+.0f}", light=abs(value) > 0.7 * largest)
    ax.set_xticks(range(len(directions)), metric_labels(directions))
    ax.set_yticks(range(len(names)), names)
    ax.set_title(f"{method} beside plain training: % of the plain value, above 0 = more faithful")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    return figure
