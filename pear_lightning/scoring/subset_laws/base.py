"""Base class of the laws of random subsets, and their source of random numbers."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from pear_lightning.functional.coalitions import (
    Uniform,
    budgets,
    can_enumerate,
    enumerated_or_drawn,
)
from pear_lightning.functional.hashed_random import hashed_numbers


class Subsets(NamedTuple):
    """Subsets of the features of each sample, their weights, and their numbers.

    Attributes:
        keep: Features left in place, ``(K, B, m)`` bool, or ``(K, 1, m)`` if shared; false for
            features that a sample does not have.
        weights: Weight of each subset, ``(K, B)`` or ``(K, 1)`` float64; those of a sample sum to
            1. Drawn subsets have equal weights, enumerated subsets their probabilities.
        numbers: Number of each subset, ``(K,)`` long. A sample has a subset under the same number
            in every batch, so a draw of a random baseline by this number is the same.
    """

    keep: Tensor
    weights: Tensor
    numbers: Tensor


class SubsetLaw(ABC):
    """Base class of the laws of random subsets: which features of a sample are removed together.

    Subclasses implement :meth:`draw` and :meth:`probabilities`. Features are numbered ``0 .. n -
    1`` in each sample; m is the largest number of features of a sample. Random numbers come from a
    function ``uniform(K, size) -> (K, B, size)``, or ``(K, 1, size)`` for subsets that all samples
    share; see :func:`seeded_numbers`.

    Attributes:
        ranked: Whether the subsets depend on the order of the features by relevance.

    Example:
        >>> from pear_lightning.functional.hashed_random import sample_seeds
        >>> from pear_lightning.scoring import FixedSizeLaw
        >>> numbers = seeded_numbers(sample_seeds(torch.rand(2, 10)))
        >>> keep, _, _ = FixedSizeLaw(3).subsets(50, torch.tensor([10, 10]), numbers)
        >>> keep.shape, (~keep).sum(dim=-1).unique().tolist()
        (torch.Size([50, 2, 10]), [3])
    """

    ranked: ClassVar[bool] = False

    @abstractmethod
    def draw(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Tensor:
        """Draw subsets.

        Args:
            n_subsets: Number of subsets K.
            counts: Number of features of each sample, ``(B,)``; ``(1,)`` if all have the same.
            uniform: Source of random numbers.
            ranks: Position of each feature in the order of relevance, ``(B, m)`` long, 0 for the
                most relevant; only for laws that are :attr:`ranked`.

        Returns:
            Features left in place, ``(K, B, m)`` bool, or ``(K, 1, m)`` if shared; false for
            features that a sample does not have.
        """

    @abstractmethod
    def probabilities(self, keep: Tensor, counts: Tensor) -> Tensor:
        """Return the probability of each subset, up to a factor of the sample.

        Args:
            keep: Features left in place, ``(K, B, m)``.
            counts: Number of features of each sample, ``(B,)``.

        Returns:
            ``(K, B)`` float64.
        """

    def subsets(
        self, n_subsets: int, counts: Tensor, uniform: Uniform, ranks: Tensor | None = None
    ) -> Subsets:
        """Return all subsets with their probabilities if ``n_subsets`` suffices, or draw subsets.

        Subsets of a sample with ``2^n <= n_subsets`` are enumerated; subsets of probability 0 are
        left out.

        Args:
            n_subsets: Largest number of subsets K.
            counts: Number of features of each sample, ``(B,)``; ``(1,)`` if all have the same.
            uniform: Source of random numbers.
            ranks: See :meth:`draw`.
        """
        budget = budgets(counts, n_subsets)
        enumerable = can_enumerate(counts, budget)
        keep, valid = enumerated_or_drawn(
            counts, budget, enumerable, lambda number: self.draw(number, counts, uniform, ranks)
        )
        numbers = torch.arange(len(keep), device=keep.device)
        weights = torch.ones(keep.shape[0], max(keep.shape[1], len(counts)), dtype=torch.float64)
        if bool(enumerable.any()):  # on the CPU: there are few, and some devices have no float64
            known = self.probabilities(keep.cpu(), counts.cpu()) * valid.cpu()
            weights = known.where(enumerable.cpu(), 1.0)
            used = (weights > 0).any(dim=1)
            weights = weights[used]
            keep, numbers = keep[used.to(keep.device)], numbers[used.to(keep.device)]
        return Subsets(keep, placed(weights / weights.sum(dim=0), keep), numbers)


def seeded_numbers(seeds: Tensor, points: Tensor | None = None) -> Uniform:
    """Return a source of random numbers without a state, for the laws of subsets.

    A sample gets the same numbers in every batch and process, at every position and on every
    device.

    Args:
        seeds: Seed of each sample, ``(B,)`` long, from
            :func:`~pear_lightning.functional.hashed_random.sample_seeds`.
        points: Numbers of the draws, ``(K,)`` long; ``None`` means 0 .. K - 1.
    """

    def numbers(n_draws: int, size: int) -> Tensor:
        draws = torch.arange(n_draws, device=seeds.device) if points is None else points
        return hashed_numbers(seeds, draws, size)

    return numbers


def placed(weights: Tensor, like: Tensor) -> Tensor:
    """Return weights on a device, in float32 if the device has no float64 (Apple GPUs).

    Args:
        weights: Any shape, float64.
        like: A tensor on the device.
    """
    return (weights.float() if like.device.type == "mps" else weights).to(like.device)
