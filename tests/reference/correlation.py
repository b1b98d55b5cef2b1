"""Correlations as SciPy and the textbook have them, row by row."""

import math

import torch
from scipy import stats
from torch import Tensor


def pearson(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    square_a = sum((x - mean_a) ** 2 for x in a)
    square_b = sum((y - mean_b) ** 2 for y in b)
    return covariance / math.sqrt(square_a * square_b)


def average_ranks(x: Tensor) -> Tensor:
    return torch.from_numpy(stats.rankdata(x.numpy(), axis=-1))


def spearman(a: Tensor, b: Tensor) -> Tensor:
    pairs = zip(a.numpy(), b.numpy(), strict=True)
    return torch.tensor([stats.spearmanr(x, y).statistic for x, y in pairs])
