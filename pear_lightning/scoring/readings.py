"""Outputs of the model at the probes, for a batch of samples with several explanations each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from pear_lightning.functional.chosen import chosen
from pear_lightning.scoring.probes import (
    Empty,
    Ground,
    Original,
    Probe,
    RemovalCurve,
)

_ELEMENTS_AT_ONCE = 2**17  # half a MiB of float32, which fits the caches of a CPU


@dataclass(frozen=True, eq=False)
class Outcome:
    """Outputs of the model for the copies of a probe.

    Attributes:
        scores: The explained scalar, ``(R, K)``.
        hits: Whether the predicted class is the target, ``(R, K)`` bool; None if no metric needs
            to know it.
    """

    scores: Tensor
    hits: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Readings:
    """Saliency and outputs of the model at probes, one row per sample and explanation.

    Attributes:
        ground: The features of each row, ranked by its saliency.
        saliency: ``(R, n)``; 0 for features that a sample does not have.
        outcomes: Outputs at each requested probe.
        n_classes: Number of outputs of the model.
        kept: Features that the copies of a probe keep, blocks ``(k, B, n)`` or ``(k, 1, n)`` bool,
            shared by all explanations of the B samples; drawn again for probes that are not listed.
    """

    ground: Ground
    saliency: Tensor
    outcomes: Mapping[Probe, Outcome]
    n_classes: int
    kept: Mapping[Probe, Sequence[Tensor]] = field(default_factory=dict)
    _removed: dict[Probe, Tensor] = field(default_factory=dict)
    _fractions: dict[int | None, Tensor] = field(default_factory=dict)

    @property
    def present(self) -> Tensor:
        """Whether a row has each feature, ``(R, n)`` bool."""
        return self.ground.present

    @property
    def original(self) -> Tensor:
        """The explained scalar of the samples themselves, ``(R, 1)``."""
        return self.outcomes[Original()].scores

    def drops(self, probe: Probe) -> Tensor:
        """Return the drop of the explained scalar at the copies of a probe, ``(R, K)``."""
        return self.original - self.outcomes[probe].scores

    def curve(self, probe: RemovalCurve) -> Outcome:
        """Return scores and hits along a removal curve, both ends included, ``(R, m + 1)``."""
        parts = [self.outcomes[each] for each in (Original(), probe, Empty())]
        hits = [part.hits for part in parts if part.hits is not None]
        return Outcome(
            torch.cat([part.scores for part in parts], dim=1),
            torch.cat(hits, dim=1) if hits else None,
        )

    def removed_fractions(self, probe: RemovalCurve) -> Tensor:
        """Return the share of the features of each row removed along a curve, ``(R, m + 1)``."""
        key = probe.n_steps  # the order of removal makes no difference
        if key not in self._fractions:
            removed = probe.removed_counts(self.ground).to(self.original.dtype)
            self._fractions[key] = removed / removed[:, -1:]
        return self._fractions[key]

    def removed_saliency(self, probe: Probe) -> Tensor:
        """Return the summed saliency of the features removed in each copy, ``(R, K)``."""
        if probe not in self._removed:
            self._removed[probe] = self._sum_removed(probe)
        return self._removed[probe]

    def _sum_removed(self, probe: Probe) -> Tensor:
        rows, n_features = self.saliency.shape
        at_once = max(1, _ELEMENTS_AT_ONCE // max(1, rows * n_features))
        if probe in self.kept:
            blocks = self.kept[probe]
            # rows of the first explanation come first
            samples = blocks[0].shape[1] if blocks else rows
            parts = self.saliency.split(rows if samples == 1 else samples)
            sums = [
                torch.cat([_sums(part, chunk) for part in parts], dim=1)
                for block in blocks
                for chunk in block.split(at_once)
            ]
        else:
            points = torch.arange(probe.n_points(n_features), device=self.saliency.device)
            sums = [
                _sums(self.saliency, probe.keep(self.ground, chunk))
                for chunk in points.split(at_once)
            ]
        return torch.cat(sums).T

    @cached_property
    def tied(self) -> Tensor:
        """Share of the features of a row whose saliency is tied with another feature, ``(R,)``."""
        values = self.saliency.masked_fill(~self.present, torch.inf).sort(dim=1).values
        same = (values[:, 1:] == values[:, :-1]) & values[:, 1:].isfinite()
        tied = torch.zeros_like(self.present)
        tied[:, 1:] |= same
        tied[:, :-1] |= same
        return tied.sum(dim=1) / self.ground.counts


def _sums(saliency: Tensor, keep: Tensor) -> Tensor:
    """Return the sums of the saliency ``(R, n)`` of features that are not kept, ``(k, R)``."""
    return chosen(~keep, saliency, saliency.new_zeros(1)).sum(dim=-1)
