"""Base class of the metrics that remove random subsets."""

from abc import ABC
from typing import Any

from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.scoring.probes import (
    Original,
    Probe,
    RandomSubsets,
    SubsetSize,
)


class RandomSubsetMetric(FaithfulnessMetric, ABC):
    """A comparison, over random subsets, of the removed saliency and the drop of the output.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_subsets: Number of subsets K, each one evaluation of the model.
        subset_size: Size of the subsets: a number of features, a share of them, ``"bernoulli"`` or
            ``"uniform"``.
        seed: Seed of the subsets.
        **kwargs: See :class:`FaithfulnessMetric`.
    """

    def __init__(
        self,
        masker: Masker,
        n_subsets: int = 100,
        subset_size: SubsetSize = 0.1,
        *,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(masker, **kwargs)
        self.probe = RandomSubsets(n_subsets, subset_size, seed)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The sample, and the sample without each subset."""
        return Original(), self.probe
