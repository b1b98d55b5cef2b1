"""Which explanations DeepFaith learns from, sample by sample: slow and obvious."""

from fractions import Fraction
from math import sqrt


def cosine(a: list[float], b: list[float]) -> float:
    norm_a, norm_b = sqrt(sum(x * x for x in a)), sqrt(sum(x * x for x in b))
    if norm_a == 0 or norm_b == 0:
        return 1.0 if norm_a == norm_b else 0.0
    return sum(x * y for x, y in zip(a, b, strict=True)) / (norm_a * norm_b)


def mean_ranks(scores: list[list[float]], higher: list[bool]) -> list[float]:
    """1 + the number of better explanations + half of the number of equal ones, on average."""
    result = []
    for k in range(len(scores)):
        ranks = []
        for m, up in enumerate(higher):
            mine = scores[k][m]
            others = [row[m] for i, row in enumerate(scores) if i != k]
            better = sum(other > mine if up else other < mine for other in others)
            ranks.append(1 + better + sum(other == mine for other in others) / 2)
        result.append(sum(ranks) / len(ranks))
    return result


def distinct(saliency: list[list[float]], delta: float, order: list[float] | None) -> set[int]:
    numbers = list(range(len(saliency)))
    if order is not None:
        numbers.sort(key=lambda k: (order[k], k))
    kept: list[int] = []
    for k in numbers:
        if all(cosine(saliency[k], saliency[other]) < delta for other in kept):
            kept.append(k)
    return set(kept)


def quantile(values: list[float], p: Fraction) -> float:
    """Linear between neighbours; exact positions."""
    ordered = sorted(values)
    position = p * (len(ordered) - 1)
    below = position.numerator // position.denominator
    rest = float(position - below)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * rest


def passing(
    scores: list[list[float]], higher: list[bool], p: Fraction, candidates: set[int], over: set[int]
) -> set[int]:
    result = set()
    for k in candidates:
        passes = True
        for m, up in enumerate(higher):
            known = [scores[i][m] for i in over]
            if up:
                passes &= scores[k][m] >= quantile(known, p)
            else:
                passes &= scores[k][m] <= quantile(known, 1 - p)
        if passes:
            result.add(k)
    return result


def select(
    saliency: list[list[float]],
    scores: list[list[float]],
    higher: list[bool],
    delta: float,
    p: Fraction,
    *,
    best_of_group: bool,
    over_all: bool,
    keep_one: bool,
) -> tuple[set[int], set[int], bool]:
    """Candidates, survivors, and whether no candidate passed."""
    ranks = mean_ranks(scores, higher)
    candidates = distinct(saliency, delta, ranks if best_of_group else None)
    over = set(range(len(saliency))) if over_all else candidates
    survivors = passing(scores, higher, p, candidates, over)
    without = not survivors
    if without and keep_one:
        survivors = {min(candidates, key=lambda k: (ranks[k], k))}
    return candidates, survivors, without
