"""Means with their spread, in words."""

from collections.abc import Iterable

import numpy as np


def mean_and_sd(values: Iterable[float], digits: int = 3) -> str:
    """Write mean ± population standard deviation.

    Args:
        values: Numbers.
        digits: Digits after the point.

    Returns:
        The mean alone for one value, a dash for none.
    """
    each = np.array(list(values), dtype=float)
    if not len(each):
        return "–"
    mean = f"{each.mean():.{digits}f}"
    return f"{mean} ± {each.std():.{digits}f}" if len(each) > 1 else mean
