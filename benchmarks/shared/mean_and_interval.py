"""Means with their confidence intervals, in words."""

from collections.abc import Iterable

import numpy as np
from scipy import stats


def interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float]:
    """Return the mean and the half width of its confidence interval.

    Args:
        values: Independent measurements, one for each seed.
        level: Level of confidence.

    Returns:
        The mean and the half width by Student's t, NaN for fewer than two values.
    """
    each = np.array(list(values), dtype=float)
    if len(each) < 2:
        return float(each.mean()) if len(each) else float("nan"), float("nan")
    half = stats.t.ppf((1 + level) / 2, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return float(each.mean()), float(half)


def mean_and_interval(values: Iterable[float], digits: int = 3, *, signed: bool = False) -> str:
    """Write mean ± half width of its 95 % confidence interval.

    Args:
        values: Independent measurements, one for each seed.
        digits: Digits after the point.
        signed: Whether to write the sign of a positive mean.

    Returns:
        The mean alone for one value, a dash for none.
    """
    each = list(values)
    if not each:
        return "–"
    mean, half = interval(each)
    text = f"{mean:{'+' if signed else ''}.{digits}f}"
    return f"{text} ± {half:.{digits}f}" if len(each) > 1 else text
