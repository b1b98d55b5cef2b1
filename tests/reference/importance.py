"""Importance metrics for one run, from their definitions as sets and loops; scores without ties.

Ties are broken at random: `over_ties` averages a function of rankings over all ways to break them.
"""

from collections.abc import Callable
from itertools import groupby, permutations, product

from tests.reference.agreement import sign


def rankings(scores: list[float]) -> list[list[int]]:
    """All orders of the features from the most to the least important."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    blocks = [list(block) for _, block in groupby(order, key=lambda i: scores[i])]
    broken = product(*(permutations(block) for block in blocks))
    return [[i for block in blocks for i in block] for blocks in broken]


def over_ties(function: Callable[..., float], *scores: list[float]) -> float:
    """Mean of a function of rankings, one for each of the scores."""
    values = [function(*chosen) for chosen in product(*(rankings(each) for each in scores))]
    return sum(values) / len(values)


def precision_at_k(scores: list[float], relevant: set[int], k: int) -> float:
    return over_ties(lambda ranking: len(set(ranking[:k]) & relevant) / k, scores)


def relevance_auroc(scores: list[float], relevant: set[int]) -> float:
    irrelevant = set(range(len(scores))) - relevant
    wins = sum(
        (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2 for i in relevant for j in irrelevant
    )
    return wins / (len(relevant) * len(irrelevant))


def relevance_average_precision(scores: list[float], relevant: set[int]) -> float:
    total = 0.0
    for i in relevant:
        above = {j for j in range(len(scores)) if scores[j] >= scores[i]}
        total += len(above & relevant) / len(above)
    return total / len(relevant)


def kendall(a: list[float], b: list[float]) -> float:
    agreeing = pairs_a = pairs_b = 0
    for i in range(len(a)):
        for j in range(i):
            agreeing += sign(a[i] - a[j]) * sign(b[i] - b[j])
            pairs_a += a[i] != a[j]
            pairs_b += b[i] != b[j]
    return agreeing / (pairs_a * pairs_b) ** 0.5 if pairs_a and pairs_b else 0.0


def top_k_overlap(a: list[float], b: list[float], k: int) -> float:
    return over_ties(lambda first, second: len(set(first[:k]) & set(second[:k])) / k, a, b)


def jaccard_at_k(a: list[float], b: list[float], k: int) -> float:
    """For scores without ties; with them, of the expected intersection."""
    common = k * top_k_overlap(a, b, k)
    return common / (2 * k - common)


def kuncheva_index(a: list[float], b: list[float], k: int) -> float:
    d = len(a)
    return (k * top_k_overlap(a, b, k) * d - k**2) / (k * (d - k))


def mean_pairwise(function: Callable[..., float], runs: list[list[float]], *k: int) -> float:
    pairs = [(i, j) for i in range(len(runs)) for j in range(i)]
    return sum(function(runs[i], runs[j], *k) for i, j in pairs) / len(pairs)


def true_discovery_rate(selected: set[int], relevant: set[int]) -> float:
    return len(selected & relevant) / len(relevant)


def false_discovery_rate(selected: set[int], relevant: set[int]) -> float:
    return len(selected - relevant) / len(selected) if selected else 0.0
