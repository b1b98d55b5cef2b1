"""The model as a game: which features of a sample stay in place decides the score."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import ranks
from pear_lightning.functional.validation import check_finite
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.scoring.perturbed_copies import CopySet, evaluate_copies
from pear_lightning.scoring.scorer import Scorer


@dataclass(frozen=True, eq=False)
class Game:
    """The features of a batch as players, numbered ``0 .. n_b - 1`` in sample b.

    Samples may differ in their numbers of features (segments, tokens without padding), so the
    players of a sample are its present features, one after another; m is the largest number of
    players. Nothing that is said of a sample's players depends on m.

    Attributes:
        scorer: The explained scalar at any query points.
        bound: The features.

    Shapes:
        - keep: ``(K, B, m)`` or ``(K, 1, m)`` bool; true is left in place, false where there is no
          such player
        - scores: ``(K, B)``, float64
    """

    scorer: Scorer
    bound: BoundMasker

    @cached_property
    def counts(self) -> Tensor:
        """Number of players of each sample, ``(B,)``, or ``(1,)`` where all features are there."""
        if self._all_present:
            return torch.full((1,), self.bound.n_features, device=self.bound.inputs.device)
        return self.bound.present.sum(dim=1)

    @cached_property
    def n_players(self) -> int:
        """Largest number of players m."""
        return int(self.counts.max())

    def copy_set(self, keep: Tensor, *, fresh_draws: bool = True) -> CopySet:
        """Return copies of the inputs with the players outside each coalition removed.

        Args:
            keep: Coalitions, ``(K, B, m)`` or ``(K, 1, m)``.
            fresh_draws: Whether each coalition takes a draw of its own of a random baseline, or
                all that of ``bound.draw``.
        """
        return CopySet(
            self.bound,
            len(keep),
            lambda points: self._features(keep if len(points) == len(keep) else keep[points]),
            lambda points: points if fresh_draws else None,
        )

    def play(self, keep: Tensor, *, fresh_draws: bool = True) -> Tensor:
        """Return the scores of coalitions, ``scorer.points_per_pass`` of them in one pass.

        Args:
            keep: Coalitions, ``(K, B, m)`` or ``(K, 1, m)``.
            fresh_draws: See :meth:`copy_set`.

        Returns:
            Scores, ``(K, B)``, float64.

        Raises:
            ValueError: If the model returns NaN or Inf.
        """
        copies = self.copy_set(keep, fresh_draws=fresh_draws)
        ((scores,),) = evaluate_copies(
            self.scorer, [copies], copies_per_pass=self.scorer.points_per_pass
        )
        return checked_scores([scores])

    def attributions(self, values: Tensor) -> Tensor:
        """Return attributions of the inputs that pool to the players' values.

        Args:
            values: ``(B, m)``, any dtype and device.

        Returns:
            Attributions ``(B, *S)``, float32, or float64 where the inputs are.
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
            values: ``(B, *S)``, floating; any device.

        Returns:
            ``(B, m)``; 0 where a sample has no such player.
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
        """Which player a feature is, ``(B, n)``; anything for a feature that is not there."""
        return ranks(self.bound.present).clamp(max=self.n_players - 1)

    def _features(self, keep: Tensor) -> Tensor:
        """Return coalitions of players as those of features, ``(K, B, n)``."""
        if self._all_present:
            return keep
        player = self._player_of_feature
        return keep.expand(-1, len(player), -1).gather(2, player.expand(len(keep), *player.shape))


def checked_scores(scores: list[Tensor]) -> Tensor:
    """Return scores of all chunks ``(K, B)`` in float64, after a look for NaN and Inf."""
    joined = torch.cat(scores)
    check_finite("scores of perturbed inputs", joined)
    return in_float64(joined)


def in_float64(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has none (Apple's GPUs).

    Args:
        tensor: Any tensor.

    Returns:
        The tensor in float64.
    """
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
