"""Probes: the perturbed copies of a sample at which a faithfulness metric evaluates the model.

Each metric declares its probes; equal probes of several metrics are evaluated once. Probes that are
not :attr:`~Probe.ranked` do not depend on the attributions, so all explanations of a sample share
them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds, ranks
from pear_lightning.functional.validation import check_count
from pear_lightning.scoring.subset_laws import (
    BernoulliLaw,
    FixedSizeLaw,
    SubsetLaw,
    UniformSizeLaw,
    seeded_numbers,
)

SubsetSize = int | float | Literal["bernoulli", "uniform"]

_LAWS: dict[str, SubsetLaw] = {"bernoulli": BernoulliLaw(), "uniform": UniformSizeLaw()}


@dataclass(frozen=True, eq=False)
class Ground:
    """The data of the samples that probes use.

    Attributes:
        present: Whether a sample has each of the n features, ``(B, n)`` bool.
        counts: Number of features of each sample, ``(B,)`` long.
        seeds: Seed of each sample, ``(B,)`` long.
        ranks: Position of each feature in the order of relevance, ``(B, n)`` long, 0 for the most
            relevant; features that a sample does not have come last. None for probes that are not
            ranked.
    """

    present: Tensor
    counts: Tensor
    seeds: Tensor
    ranks: Tensor | None = None

    @property
    def n_features(self) -> int:
        """Largest number of features of a sample, n."""
        return self.present.shape[1]


class Probe(ABC):
    """A set of perturbed copies of every sample.

    Attributes:
        ranked: Whether the copies depend on the order of the features.
    """

    ranked: ClassVar[bool] = False

    @abstractmethod
    def n_points(self, n_features: int) -> int:
        """Return the number of copies K of a sample with up to n features."""

    @abstractmethod
    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return which features stay in place in the copies with the given numbers.

        Args:
            ground: The samples.
            points: Numbers of the copies, ``(k,)`` long, in 0 .. K - 1.

        Returns:
            ``(k, B, n)`` or ``(k, 1, n)`` bool; true = left in place.
        """

    def draws(self, points: Tensor) -> Tensor:
        """Return the draw of a random baseline that each copy uses, ``(k,)`` long."""
        return torch.zeros_like(points)


@dataclass(frozen=True)
class Original(Probe):
    """The sample itself: one copy with nothing removed."""

    def n_points(self, n_features: int) -> int:
        """Return 1."""
        return 1

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return all true, ``(k, 1, n)``."""
        return points.new_ones(len(points), 1, ground.n_features, dtype=torch.bool)


@dataclass(frozen=True)
class Empty(Probe):
    """One copy with all features removed: the end of every removal curve."""

    def n_points(self, n_features: int) -> int:
        """Return 1."""
        return 1

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return all false, ``(k, 1, n)``."""
        return points.new_zeros(len(points), 1, ground.n_features, dtype=torch.bool)


@dataclass(frozen=True)
class RemovalCurve(Probe):
    """Features removed in order of relevance, in m steps of equal size.

    After step k of m, ``k n_i / m`` of the ``n_i`` features of a sample are removed, rounded to the
    nearest integer (halves up). The copies are those of steps 1 .. m - 1; the ends are
    :class:`Original` and :class:`Empty`.

    Args:
        n_steps: Number of steps m, at most n. None removes one feature at a time.
        least_first: Whether the least relevant feature is removed first instead of the most
            relevant.
    """

    n_steps: int | None = None
    least_first: bool = False
    ranked = True

    def __post_init__(self) -> None:
        """Check the number of steps."""
        if self.n_steps is not None:
            check_count("n_steps", self.n_steps, least=1)

    def steps(self, n_features: int) -> int:
        """Return the number of steps m."""
        return min(self.n_steps or n_features, n_features)

    def n_points(self, n_features: int) -> int:
        """Return m - 1."""
        return self.steps(n_features) - 1

    def removed_counts(self, ground: Ground) -> Tensor:
        """Return how many features are removed initially and after each step, ``(B, m + 1)``."""
        steps = self.steps(ground.n_features)
        done = torch.arange(steps + 1, device=ground.counts.device)
        return (2 * done * ground.counts[:, None] + steps) // (2 * steps)

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return the features left after steps ``points + 1``, ``(k, B, n)``."""
        assert ground.ranks is not None
        removed = self.removed_counts(ground)[:, points + 1].T[..., None]
        if self.least_first:
            # missing features come last; marking them as removed has no effect
            return ground.ranks < ground.counts[:, None] - removed
        return ground.ranks >= removed


@dataclass(frozen=True)
class RandomSubsets(Probe):
    """Random subsets of the features removed, drawn from the seed of each sample.

    Args:
        n_subsets: Number of subsets K.
        size: Size of a subset: a number of features (int), a share of the sample's features (float,
            rounded, at least one feature), ``"bernoulli"``: each feature with probability 1/2, or
            ``"uniform"``: a uniform number of features, from none to all.
        seed: Seed of the subsets.
    """

    n_subsets: int = 100
    size: SubsetSize = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_count("n_subsets", self.n_subsets, least=2)
        _ = self.law

    @property
    def law(self) -> SubsetLaw:
        """The law of the subsets."""
        if isinstance(self.size, str):
            if self.size in _LAWS:
                return _LAWS[self.size]
        elif (type(self.size) is int and self.size >= 1) or (
            isinstance(self.size, float) and 0 < self.size <= 1
        ):
            return FixedSizeLaw(self.size)
        raise ValueError(
            "subset_size must be a number of features (int, at least 1), a share of them "
            f"(float, above 0 and up to 1), 'bernoulli' or 'uniform', got {self.size!r}"
        )

    def n_points(self, n_features: int) -> int:
        """Return K."""
        return self.n_subsets

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return the features outside the subsets, ``(k, B, n)``."""
        seeds = derived_seeds(ground.seeds, "random subsets", self.seed)
        keep = self.law.draw(len(points), ground.counts, seeded_numbers(seeds, points))
        if bool(ground.present.all()):
            return keep
        # numbered among the features of a sample, so padding on the left has no effect
        player = ranks(ground.present).clamp(max=keep.shape[2] - 1)
        return keep.gather(2, player.expand(len(keep), *player.shape)) | ~ground.present

    def draws(self, points: Tensor) -> Tensor:
        """Return the numbers of the subsets: each subset uses its own draw."""
        return points


@dataclass(frozen=True)
class SingleRemovals(Probe):
    """Each feature removed alone.

    Args:
        n_draws: Number of draws of a random baseline for each feature, R.
    """

    n_draws: int = 1

    def __post_init__(self) -> None:
        """Check the number of draws."""
        check_count("n_draws", self.n_draws, least=1)

    def n_points(self, n_features: int) -> int:
        """Return n R."""
        return n_features * self.n_draws

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return all features except one, ``(k, 1, n)``; the same one for R consecutive copies."""
        features = torch.arange(ground.n_features, device=points.device)
        return (features != (points // self.n_draws)[:, None])[:, None]

    def draws(self, points: Tensor) -> Tensor:
        """Return 0 .. R - 1 for each feature."""
        return points % self.n_draws


@dataclass(frozen=True)
class RankedChunks(Probe):
    """Chunks of features that are consecutive in relevance, each removed alone.

    Args:
        n_chunks: Number of chunks m, at most n.
    """

    n_chunks: int
    ranked = True

    def __post_init__(self) -> None:
        """Check the number of chunks."""
        check_count("chunks", self.n_chunks, least=2)

    def n_points(self, n_features: int) -> int:
        """Return m."""
        return min(self.n_chunks, n_features)

    def keep(self, ground: Ground, points: Tensor) -> Tensor:
        """Return all features except one chunk, the most relevant chunk first, ``(k, B, n)``."""
        assert ground.ranks is not None
        bounds = RemovalCurve(self.n_chunks).removed_counts(ground)
        first, last = (bounds[:, points + end].T[..., None] for end in (0, 1))
        return (ground.ranks < first) | (ground.ranks >= last)
