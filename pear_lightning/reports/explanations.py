"""Explanations of the samples of a data set."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pear_lightning.reports.explained_samples import ExplainedSamples
from pear_lightning.reports.picture_kind import Kind


@dataclass
class Explanations:
    """Explanations of the samples of a data set, and their faithfulness.

    Attributes:
        explainers: Names of the explainers.
        directions: Whether a higher value is better, for each metric; empty if nothing was scored.
        pictured: The first samples, with all that a picture needs.
        rows: For each sample by its position: predicted class (or value), label and tokens.
        kind: Kind of the samples.
        saliency: For each sample, the saliency of its features ``(E, n)``; NaN for features that it
            lacks.
        scores: For each sample, its scores ``(M, E)``.
    """

    explainers: list[str] = field(default_factory=list)
    directions: dict[str, bool] = field(default_factory=dict)
    pictured: list[ExplainedSamples] = field(default_factory=list)
    kind: Kind = "columns"
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    saliency: dict[int, Tensor] = field(default_factory=dict)
    scores: dict[int, Tensor] = field(default_factory=dict)

    def add(self, other: "Explanations") -> None:
        """Add the samples of another process.

        Args:
            other: Explanations by the same explainers.
        """
        self.explainers = self.explainers or other.explainers
        self.directions = self.directions or other.directions
        self.kind = other.kind if other.rows else self.kind
        self.pictured += other.pictured
        self.rows |= other.rows
        self.saliency |= other.saliency
        self.scores |= other.scores

    @property
    def ids(self) -> list[int]:
        """Positions of the samples in the data set, in ascending order."""
        return sorted(self.rows)

    def stacked_scores(self) -> dict[str, Tensor]:
        """Return the scores ``(E, N)`` of each metric, samples in the order of :attr:`ids`."""
        of_samples = torch.stack([self.scores[number] for number in self.ids], dim=2)
        return dict(zip(self.directions, of_samples, strict=True))
