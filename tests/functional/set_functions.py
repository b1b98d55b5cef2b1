"""Outputs that are arbitrary functions of which features are removed, and tensors read off them."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

NOTHING: frozenset[int] = frozenset()


class SetFunction:
    """A random output in (0.05, 1), and a random prediction, for every set of removed features."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, removed: frozenset[int]) -> float:
        return 0.05 + 0.95 * random.Random(f"{self.seed} {sorted(removed)}").random()

    def hit(self, removed: frozenset[int]) -> bool:
        return not removed or random.Random(f"hit {self.seed} {sorted(removed)}").random() < 0.7


class Additive:
    """f(x without I) = offset + the contributions of the features that are left."""

    def __init__(self, contributions: Sequence[float], offset: float = 0.0) -> None:
        self.contributions = contributions
        self.offset = offset

    def __call__(self, removed: frozenset[int]) -> float:
        return self.offset + sum(c for i, c in enumerate(self.contributions) if i not in removed)


def random_saliency(seed: int, n: int, ties: bool = False) -> list[float]:
    saliency = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values: list[float] = (saliency.round() if ties else saliency).tolist()
    return values


def random_subsets(seed: int, n: int, count: int, size: int | None = None) -> list[frozenset[int]]:
    """Subsets of one size, or each feature with probability 1/2."""
    draw = random.Random(seed)
    if size is not None:
        return [frozenset(draw.sample(range(n), size)) for _ in range(count)]
    return [frozenset(i for i in range(n) if draw.random() < 0.5) for _ in range(count)]


def row(values: Sequence[float]) -> Tensor:
    """Values as a batch of one, in float64."""
    return torch.tensor([list(values)], dtype=torch.float64)


def bool_row(values: Sequence[bool]) -> Tensor:
    return torch.tensor([list(values)])
