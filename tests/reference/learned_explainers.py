"""The losses of learned explainers, written out for one sample: slow and obvious.

A value function maps a set of features that are left in place to a number. Losses of a batch are
the means over its samples.
"""

from collections.abc import Callable, Sequence
from math import exp, log

Value = Callable[[frozenset[int]], float]


def softmax(logits: Sequence[float]) -> list[float]:
    total = sum(exp(each) for each in logits)
    return [exp(each) / total for each in logits]


def kl(p: Sequence[float], q: Sequence[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def surrogate_loss(logits: Sequence[float], masked: Sequence[Sequence[float]]) -> float:
    """KL(f(x) || v(x_S)), the mean over the subsets."""
    terms = [kl(softmax(logits), softmax(each)) for each in masked]
    return sum(terms) / len(terms)


def fastshap_loss(
    phi: Sequence[float],
    subsets: Sequence[set[int]],
    value: Value,
    normalize: bool,
    penalty: float,
) -> float:
    """n MSE(null + S'phi, v(S)) + penalty n (sum phi - (grand - null))^2, of one class."""
    n = len(phi)
    null, grand = value(frozenset()), value(frozenset(range(n)))
    excess = sum(phi) - (grand - null)
    used = [each - excess / n for each in phi] if normalize else list(phi)
    errors = [
        (null + sum(used[i] for i in subset) - value(frozenset(subset))) ** 2 for subset in subsets
    ]
    return n * sum(errors) / len(errors) + penalty * n * excess**2
