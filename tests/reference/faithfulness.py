"""The faithfulness metrics for one sample, written out: slow and obvious.

A model with a way to remove features is a function of the set of features that are removed, so
these transcriptions fit any model and any data. ``hit`` tells whether the explained class is
predicted once a set is removed.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from tests.reference.correlation import pearson

Output = Callable[[frozenset[int]], float]
"""f(x without the features I)."""
Hit = Callable[[frozenset[int]], bool]
NOTHING: frozenset[int] = frozenset()


# --- the order of removal ---------------------------------------------------------------------


def most_relevant_first(s: Sequence[float]) -> list[int]:
    """Features by descending saliency, the lower index first where they tie."""
    return sorted(range(len(s)), key=lambda i: (-s[i], i))


def boundaries(n: int, steps: int) -> list[int]:
    """How many of n features are gone after 0, 1, .., m steps: k n / m, a half rounded up."""
    return [math.floor(k * n / steps + 0.5) for k in range(steps + 1)]


def removal_sets(
    s: Sequence[float], steps: int | None = None, least_first: bool = False
) -> list[frozenset[int]]:
    """What is gone after each step, from nothing to everything, without repetitions."""
    order = most_relevant_first(s)
    if least_first:
        order = order[::-1]
    n = len(s)
    sets = [frozenset(order[:count]) for count in boundaries(n, steps or n)]
    return list(dict.fromkeys(sets))


def insertion_sets(s: Sequence[float], steps: int | None = None) -> list[frozenset[int]]:
    """What is still gone after each step of inserting the most relevant features first.

    The steps are those of removing the least relevant first, from their end.
    """
    return removal_sets(s, steps, least_first=True)[::-1]


# --- areas ------------------------------------------------------------------------------------


def trapezoids(t: Sequence[float], y: Sequence[float]) -> float:
    points = list(zip(t, y, strict=True))
    return sum((t1 - t0) * (y0 + y1) / 2 for (t0, y0), (t1, y1) in pairwise(points))


def area(t: Sequence[float], y: Sequence[float]) -> float:
    """RISE: both ends, divided by the width."""
    return trapezoids(t, y) / (t[-1] - t[0])


def deepfaith_area(t: Sequence[float], y: Sequence[float]) -> float:
    """DeepFaith: the curve starts after the first step, and its width is (m - 1)/m."""
    return trapezoids(t[1:], y[1:])


def inner_area(t: Sequence[float], y: Sequence[float]) -> float:
    """Chefer et al.: neither end, divided by the width that is left."""
    return area(t[1:-1], y[1:-1])


Area = Callable[[Sequence[float], Sequence[float]], float]


def _fractions(sets: Sequence[frozenset[int]], n: int) -> list[float]:
    return [len(gone) / n for gone in sets]


def frozen(y: Sequence[float], hits: Sequence[bool]) -> list[float]:
    """Once another class is predicted, the value of that step stands for all that follow."""
    result: list[float] = []
    stuck = False
    for value, hit in zip(y, hits, strict=True):
        result.append(result[-1] if stuck else value)
        stuck = stuck or not hit
    return result


# --- metrics that follow the order of the saliency ----------------------------------------------


def deletion(f: Output, s: Sequence[float], steps: int | None = None, area: Area = area) -> float:
    sets = removal_sets(s, steps)
    return area(_fractions(sets, len(s)), [f(gone) for gone in sets])


def insertion(f: Output, s: Sequence[float], steps: int | None = None, area: Area = area) -> float:
    sets = insertion_sets(s, steps)
    inserted = [1 - fraction for fraction in _fractions(sets, len(s))]
    return area(inserted, [f(gone) for gone in sets])


def perturbation(
    f: Output,
    s: Sequence[float],
    steps: int | None = None,
    area: Area = area,
    *,
    least_first: bool,
    hit: Hit | None = None,
    accuracy: bool = False,
    freeze: bool = False,
) -> float:
    """Positive (most relevant first) and negative (least relevant first) perturbation."""
    sets = removal_sets(s, steps, least_first)
    y = [f(gone) for gone in sets]
    if accuracy or freeze:
        assert hit is not None
        hits = [hit(gone) for gone in sets]
        y = [float(each) for each in hits] if accuracy else y
        y = frozen(y, hits) if freeze else y
    return area(_fractions(sets, len(s)), y)


def region_perturbation(f: Output, s: Sequence[float], steps: int | None = None) -> float:
    """AOPC = 1/(L + 1) sum from k = 0 to L of f(x_0) - f(x_k)."""
    drops = [f(NOTHING) - f(gone) for gone in removal_sets(s, steps)]
    return sum(drops) / len(drops)


def deepfaith_region_perturbation(f: Output, s: Sequence[float], steps: int | None = None) -> float:
    """The mean of the drops after each step, k = 0 not counted."""
    drops = [f(NOTHING) - f(gone) for gone in removal_sets(s, steps)[1:]]
    return sum(drops) / len(drops)


def irof(f: Output, s: Sequence[float], steps: int | None = None, area: Area = area) -> float:
    """The area over f(x_l)/f(x_0)."""
    sets = removal_sets(s, steps)
    return area(_fractions(sets, len(s)), [1 - f(gone) / f(NOTHING) for gone in sets])


# --- metrics that compare saliency and drops ---------------------------------------------------


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson, and 0 where nothing varies."""
    if len(set(a)) < 2 or len(set(b)) < 2:
        return 0.0
    return pearson(list(a), list(b))


def _average_ranks(a: Sequence[float]) -> list[float]:
    return [sum(y < x for y in a) + (sum(y == x for y in a) + 1) / 2 for x in a]


def faithfulness_correlation(
    f: Output, s: Sequence[float], subsets: Iterable[frozenset[int]]
) -> float:
    subsets = list(subsets)
    sums = [sum(s[i] for i in gone) for gone in subsets]
    drops = [f(NOTHING) - f(gone) for gone in subsets]
    return _correlation(sums, drops)


def faithfulness_estimate(f: Output, s: Sequence[float]) -> float:
    drops = [f(NOTHING) - f(frozenset({i})) for i in range(len(s))]
    return _correlation(s, drops)


def chunks(s: Sequence[float], steps: int, ascending: bool = False) -> list[list[int]]:
    """Neighbours in the order of relevance; the order is cut where the steps of a curve are."""
    order = most_relevant_first(s)
    cut = [order[a:b] for a, b in pairwise(boundaries(len(s), steps)) if b > a]
    return [chunk[::-1] for chunk in cut[::-1]] if ascending else cut


def deepfaith_faithfulness_estimate(f: Output, s: Sequence[float], steps: int) -> float:
    """Chunks in descending order of saliency, each removed alone."""
    sums = [sum(s[i] for i in chunk) for chunk in chunks(s, steps)]
    drops = [f(NOTHING) - f(frozenset(chunk)) for chunk in chunks(s, steps)]
    return _correlation(sums, drops)


def monotonicity_correlation(fs: Sequence[Output], s: Sequence[float]) -> float:
    """Spearman of |s_i| and the mean squared change; one ``f`` for each draw of the replacement."""
    effects = [
        sum((f(NOTHING) - f(frozenset({i}))) ** 2 for f in fs) / len(fs) for i in range(len(s))
    ]
    return _correlation(_average_ranks([abs(x) for x in s]), _average_ranks(effects))


def deepfaith_monotonicity_correlation(f: Output, s: Sequence[float], steps: int) -> float:
    """Chunks in ascending order, no absolute value of the saliency."""
    sums = [sum(s[i] for i in chunk) for chunk in chunks(s, steps, ascending=True)]
    effects = [
        (f(NOTHING) - f(frozenset(chunk))) ** 2 / f(NOTHING) ** 2
        for chunk in chunks(s, steps, ascending=True)
    ]
    return _correlation(_average_ranks(sums), _average_ranks(effects))


def infidelity(
    f: Output, s: Sequence[float], subsets: Iterable[frozenset[int]], normalize: bool = False
) -> float:
    """E (I's - (f(x) - f(x - I)))^2, the saliency first scaled by β = E[Δσ]/E[σ^2] if asked."""
    subsets = list(subsets)
    sums = [sum(s[i] for i in gone) for gone in subsets]
    drops = [f(NOTHING) - f(gone) for gone in subsets]
    beta = 1.0
    if normalize:
        square = sum(sigma**2 for sigma in sums)
        product = sum(sigma * delta for sigma, delta in zip(sums, drops, strict=True))
        beta = product / square if square else 0.0
    errors = [(beta * sigma - delta) ** 2 for sigma, delta in zip(sums, drops, strict=True)]
    return sum(errors) / len(errors)


def max_sensitivity(
    explain: Callable[[Sequence[float]], Sequence[float]],
    x: Sequence[float],
    deltas: Iterable[Sequence[float]],
) -> float:
    """The largest ‖Φ(x + δ) - Φ(x)‖ / ‖Φ(x)‖."""
    phi = explain(x)
    norm = math.sqrt(sum(a**2 for a in phi))
    largest = 0.0
    for delta in deltas:
        moved = explain([a + d for a, d in zip(x, delta, strict=True)])
        change = math.sqrt(sum((a - b) ** 2 for a, b in zip(moved, phi, strict=True)))
        largest = max(largest, change / norm)
    return largest
