"""What stands in the cells of the tables."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import Tensor

from benchmarks.scores_activation.records import gains
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.mean_and_sd import mean_and_sd


def percent(values: Iterable[float]) -> str:
    """Write mean ± standard deviation in percent."""
    return mean_and_sd((100 * value for value in values), 1)


def found(metric: Any, scores: Tensor, other: Tensor) -> str:
    """Write the mean and the deviation of one metric over runs."""
    metric.update(scores, other)
    mean = f"{float(metric.compute()):.3f}"
    return f"{mean} ± {float(metric.sd()):.3f}" if len(scores) > 1 else mean


def gain(runs: Runs, base: Runs) -> str:
    """Write the gain in accuracy over other runs of the same seeds, in points, with its error."""
    points = gains(runs, base)
    if not points:
        return "–"
    mean = f"{np.mean(points):+.1f}"
    if len(points) == 1:
        return mean
    return f"{mean} ± {np.std(points, ddof=1) / len(points) ** 0.5:.1f}"
