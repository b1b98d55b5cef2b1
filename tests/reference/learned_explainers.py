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


def stochastic_amortization_loss(phi: Sequence[float], label: Sequence[float]) -> float:
    """n MSE(phi, label)."""
    n = len(phi)
    return n * sum((a - b) ** 2 for a, b in zip(phi, label, strict=True)) / n


def cxplain_loss(phi: Sequence[float], loss: float, losses: Sequence[float]) -> float:
    """KL(omega || phi), with omega the shares in the rise of the loss without each feature."""
    rises = [max(each - loss, 1e-7) for each in losses]
    return kl([each / sum(rises) for each in rises], phi)


def l2x_mask(
    logits: Sequence[float], uniform: Sequence[Sequence[float]], tau: float
) -> list[float]:
    """The maximum over k draws of Gumbel-softmax."""
    draws = [
        softmax([(a - log(-log(u))) / tau for a, u in zip(logits, row, strict=True)])
        for row in uniform
    ]
    return [max(column) for column in zip(*draws, strict=True)]


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def rebar_objective(
    logits: Sequence[float],
    first: Sequence[float],
    again: Sequence[float],
    log_q: Callable[[list[float]], float],
    weight: float,
    tau: float,
) -> tuple[float, float, float, list[float]]:
    """log q at s and z~, log p(s), and s: the parts of REAL-X's objective, of one sample."""
    s, given, log_p = [], [], 0.0
    for logit, u, v in zip(logits, first, again, strict=True):
        p = sigmoid(logit)
        hard = 1.0 if logit + log(u / (1 - u)) > 0 else 0.0
        w = 1 - p + v * p if hard else v * (1 - p)
        s.append(hard)
        given.append(sigmoid((logit + log(w / (1 - w))) / tau))
        log_p += log(p) if hard else log(1 - p)
    return log_q(s), log_q(given), log_p, s


def areas(values: Value, order: Sequence[int], sizes: Sequence[int]) -> tuple[float, float]:
    """Means of the output without, and with only, the first t features of an order."""
    whole = frozenset(range(len(order)))
    first = [frozenset(order[:t]) for t in sizes]
    deletion = sum(values(whole - each) for each in first) / len(sizes)
    insertion = sum(values(each) for each in first) / len(sizes)
    return deletion, insertion


def diet_losses(
    mask: Sequence[float],
    f_x: Sequence[float],
    copy_x: Sequence[float],
    copy_masked: Sequence[float],
    weight: float,
) -> tuple[float, float]:
    """The loss of the mask, and the loss of the copy, on probabilities."""
    same = sum(abs(a - b) for a, b in zip(f_x, copy_x, strict=True))
    masked = sum(abs(a - b) for a, b in zip(copy_x, copy_masked, strict=True))
    return weight * sum(mask) / len(mask) + same + masked, same + masked
