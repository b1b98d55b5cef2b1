"""LIME for one sample, written out: slow and obvious."""

from math import exp, sqrt


def similarity(original: list[float], perturbed: list[float], width: float) -> float:
    """exp(-(1 - cos)^2 / (2 width^2)); a vector of zeros has cosine 0 with any other."""
    dot = sum(a * b for a, b in zip(original, perturbed, strict=True))
    norms = sqrt(sum(a * a for a in original)) * sqrt(sum(b * b for b in perturbed))
    cosine = dot / norms if norms > 0 else 0.0
    return exp(-((1 - cosine) ** 2) / (2 * width**2))


def weighted_lasso(
    masks: list[list[float]],
    scores: list[float],
    weights: list[float],
    alpha: float,
    n_sweeps: int = 2000,
) -> list[float]:
    """Minimise Σ w (y - β_0 - z·β)^2 / (2 Σ w) + α Σ |β|, one coefficient after another."""
    n = len(masks[0])
    total = sum(weights)
    shares = [w / total for w in weights]
    coefficients = [0.0] * n
    for _ in range(n_sweeps):
        predictions = [sum(b * z for b, z in zip(coefficients, m, strict=True)) for m in masks]
        intercept = sum(s * (y - p) for s, y, p in zip(shares, scores, predictions, strict=True))
        for i in range(n):
            rest = [
                y - intercept - sum(coefficients[j] * z[j] for j in range(n) if j != i)
                for y, z in zip(scores, masks, strict=True)
            ]
            moment = sum(s * m[i] * r for s, m, r in zip(shares, masks, rest, strict=True))
            square = sum(s * m[i] ** 2 for s, m in zip(shares, masks, strict=True))
            shrunk = max(abs(moment) - alpha, 0.0)
            coefficients[i] = (shrunk if moment > 0 else -shrunk) / square if square else 0.0
    return coefficients
