"""The model as a cooperative game: features are players, the score is the value."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import ranks
from pear_lightning.functional.validation import check_finite
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.perturbed_copies import CopySet
from pear_lightning.scoring.scorer import Scorer


@dataclass(frozen=True, eq=False)
class Game:
    """The features of a batch as players, numbered ``0 .. n_b - 1`` in sample b.

    Samples may differ in their numbers of features (segments, tokens without padding), so the
    players of a sample are its present features, in order; m is the largest number of players. The
    results for a sample do not depend on m.

    Attributes:
        scorer: The explained scalar at any query points.
        bound: The features.

    Shapes:
        - keep: ``(K, B, m)`` or ``(K, 1, m)`` bool; true = left in place, false for players that a
          sample does not have
        - scores: ``(K, B)``, float64
    """

    scorer: Scorer
    bound: BoundMasker

    @cached_property
    def counts(self) -> Tensor:
        """Number of players of each sample, ``(B,)``; ``(1,)`` if all samples have all features."""
        if self._all_present:
            return torch.full((1,), self.bound.n_features, device=self.bound.inputs.device)
        return self.bound.present.sum(dim=1)

    @cached_property
    def n_players(self) -> int:
        """Largest number of players of a sample, m."""
        return int(self.counts.max())

    def copy_set(self, keep: Tensor) -> CopySet:
        """Return copies of the inputs with the players outside each coalition removed.

        Each coalition has its own draw of a random baseline.

        Args:
            keep: Coalitions, ``(K, B, m)`` or ``(K, 1, m)``.
        """
        return CopySet(
            self.bound,
            len(keep),
            lambda points: self.features(keep if len(points) == len(keep) else keep[points]),
        )

    def attributions(self, values: Tensor) -> Tensor:
        """Return attributions of the inputs that pool to the values of the players.

        Args:
            values: ``(B, m)``, any dtype and device.

        Returns:
            Attributions ``(B, *S)``, float32, or float64 for inputs in float64.
        """
        inputs, present = self.bound.inputs, self.bound.present
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        values = values.to(inputs.device, dtype)
        if not self._all_present:
            values = values.gather(1, self._player_of_feature).where(present, 0)
        return self.bound.spread(values)

    def sums(self, values: Tensor) -> Tensor:
        """Return the sums over the elements of each player.

        Args:
            values: ``(B, *S)``, floating point; any device.

        Returns:
            ``(B, m)``; 0 for players that a sample does not have.
        """
        feature_map = self.bound.feature_map.to(values.device)
        bound = replace(self.bound, inputs=values, feature_map=feature_map, pooling="sum")
        sums = bound.pool(values)
        if self._all_present:
            return sums
        present = bound.present
        order = present.long().argsort(dim=1, descending=True, stable=True)[:, : self.n_players]
        return sums.gather(1, order).where(present.gather(1, order), 0)

    @cached_property
    def _all_present(self) -> bool:
        return bool(self.bound.present.all())

    @cached_property
    def _player_of_feature(self) -> Tensor:
        """Player of each feature, ``(B, n)``; arbitrary for features that are not present."""
        return ranks(self.bound.present).clamp(max=self.n_players - 1)

    def features(self, keep: Tensor) -> Tensor:
        """Return coalitions of players as sets of features, ``(K, B, n)``."""
        if self._all_present:
            return keep
        player = self._player_of_feature
        return keep.expand(-1, len(player), -1).gather(2, player.expand(len(keep), *player.shape))


def checked_scores(scores: Tensor) -> Tensor:
    """Return scores in float64, after a check for NaN and Inf.

    Args:
        scores: ``(K, B)``, or ``(B,)``.
    """
    check_finite("scores of perturbed inputs", scores)
    return in_float64(scores)


def in_float64(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU if its device has no float64 (Apple GPUs).

    Args:
        tensor: Any tensor.
    """
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
