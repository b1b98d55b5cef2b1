"""Shapley values, written out: slow and obvious."""

from collections.abc import Callable
from itertools import combinations, permutations
from math import comb, factorial

Value = Callable[[frozenset[int]], float]
"""The worth of a coalition."""


def shapley_by_subsets(value: Value, n: int) -> list[float]:
    """φ_i = Σ_S |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)), over the subsets S without i."""
    result = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        total = 0.0
        for size in range(n):
            for subset in map(frozenset, combinations(others, size)):
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                total += weight * (value(subset | {i}) - value(subset))
        result.append(total)
    return result


def shapley_by_permutations(value: Value, n: int) -> list[float]:
    """The mean, over all orders of arrival, of what each player adds on arriving."""
    result = [0.0] * n
    for order in permutations(range(n)):
        present: frozenset[int] = frozenset()
        for i in order:
            result[i] += (value(present | {i}) - value(present)) / factorial(n)
            present |= {i}
    return result


def shapley_kernel(size: int, n: int) -> float:
    """Theorem 2 of Lundberg and Lee 2017."""
    return (n - 1) / (comb(n, size) * size * (n - size))
