"""The formulas of DeepFaith, written out: slow and obvious."""

from math import exp, sqrt


def correlation(a: list[float], b: list[float], centered: bool = True) -> float:
    """Pearson's correlation, or the cosine."""
    mean_a = sum(a) / len(a) if centered else 0.0
    mean_b = sum(b) / len(b) if centered else 0.0
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    square_a = sum((x - mean_a) ** 2 for x in a)
    square_b = sum((y - mean_b) ** 2 for y in b)
    return product / sqrt(square_a * square_b)


def local_correlation_loss(
    saliency: list[float],
    removed: list[set[int]],
    drops: list[float],
    centered: bool = True,
) -> float:
    """1/2 - 1/2 tau of one sample, with the sum over the REMOVED features."""
    sums = [sum(saliency[i] for i in subset) for subset in removed]
    return 0.5 - 0.5 * correlation(sums, drops, centered)


def local_correlation_loss_of_the_authors_code(
    saliency: list[float], removed: list[set[int]], drops: list[float]
) -> float:
    """The same with the sum over the features that are kept: the sign is wrong."""
    sums = [sum(s for i, s in enumerate(saliency) if i not in subset) for subset in removed]
    return 0.5 - 0.5 * correlation(sums, drops)


def algorithm_1(
    losses: list[float], window: int, epsilon: float, factor: float
) -> list[tuple[float, float | None]]:
    """Algorithm 1, line by line: alpha after each iteration, and the variance that decided it."""
    alpha, cf, t0 = 1.0, 0, 0
    result: list[tuple[float, float | None]] = []
    for t in range(1, len(losses) + 1):
        if t < window:
            result.append((alpha, None))
            continue
        recent = losses[t - window : t]
        mean = sum(recent) / window
        variance = sum((value - mean) ** 2 for value in recent) / window
        if cf == 0 and variance < epsilon:
            cf, t0 = 1, t
        if variance > factor * epsilon:
            cf, alpha = 0, 1.0
        if cf == 1:
            alpha = 1 - 1 / (1 + exp(-(t - t0) / factor))
        result.append((alpha, variance))
    return result
