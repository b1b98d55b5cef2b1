"""What stands in the cells of the tables."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.right_reasons.records import runs_of
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown

Pick = Callable[[dict[str, Any]], float]
"""Reads a number from the record of a model."""


def interval(values: Iterable[float], digits: int = 3) -> str:
    """Write a mean with its 95 % interval by Student's t; the mean alone of fewer than three."""
    each = np.array(list(values), dtype=float)
    if not len(each):
        return "not run"
    mean = short(each.mean(), digits)
    if len(each) < 3:
        return mean
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return f"{mean} ± {short(half, digits)}"


def cell(runs: Runs, experiment: str, setting: str, pick: Pick | str, model: int = 0) -> str:
    """Write one number of a setting."""
    get: Pick = (lambda m: m[pick]) if isinstance(pick, str) else pick
    chosen = [run["models"][model] for run in runs_of(runs, experiment, setting)]
    return interval(get(each) for each in chosen)


def table_of_runs(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table, without the rows that end in no run."""
    return markdown(header, (row for row in rows if row[-1] != "0"))


def short(value: float, digits: int) -> str:
    """Write a number, without the 0 before its point."""
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"
