"""Base class of the metrics that remove one feature at a time."""

from abc import ABC
from typing import Any

import torch
from torch import Tensor

from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from pear_lightning.scoring.probes import (
    Original,
    Probe,
    RankedChunks,
    SingleRemovals,
)
from pear_lightning.scoring.readings import Readings


class SingleRemovalMetric(FaithfulnessMetric, ABC):
    """A correlation, over features, of their saliency and the effect of removing each alone.

    Args:
        masker: Defines the features, and what replaces a removed one.
        n_draws: Number of draws R of a random baseline for each feature; other baselines use one.
        chunks: Number of chunks of features, in the order of relevance, to compare instead of
            single features; None for single features.
        **kwargs: See :class:`FaithfulnessMetric`.
    """

    def __init__(
        self, masker: Masker, *, n_draws: int = 10, chunks: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(masker, **kwargs)
        self.probe: SingleRemovals | RankedChunks
        if chunks is None:
            self.probe = SingleRemovals(n_draws if masker.baseline.is_random else 1)
        else:
            self.probe = RankedChunks(chunks)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The sample, and the sample without each feature or chunk."""
        return Original(), self.probe

    def saliency_and_drops(self, readings: Readings) -> tuple[Tensor, Tensor, Tensor]:
        """Return saliency ``(R, n)``, drops ``(R, draws, n)``, and which entries are present.

        Args:
            readings: Saliency and outputs, a row for each sample and explanation.
        """
        drops = readings.drops(self.probe)
        if isinstance(self.probe, SingleRemovals):
            drops = drops.view(len(drops), -1, self.probe.n_draws).transpose(1, 2)
            return readings.saliency, drops, readings.present
        saliency = readings.removed_saliency(self.probe)
        points = torch.arange(saliency.shape[1], device=saliency.device)
        present = ~self.probe.keep(readings.ground, points).all(dim=2).T  # chunks may be empty
        return saliency, drops[:, None], present
