"""The model as a game: which features of a sample stay in place decides the score."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pear_lightning.explainers.scorer import Scorer
from pear_lightning.functional.hashed_random import ranks
from pear_lightning.functional.validation import check_finite
from pear_lightning.masking.bound import BoundMasker


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

    def copies(self, keep: Tensor, draws: Tensor | None = None) -> Iterator[Tensor]:
        """Return copies of the inputs with the players outside each coalition removed.

        Made for ``scorer.points_per_pass`` coalitions at a time.

        Args:
            keep: Coalitions, ``(K, B, m)`` or ``(K, 1, m)``.
            draws: Which draw of a random baseline each coalition takes, ``(K,)``; None for one
                each.

        Yields:
            Copies, ``(k, B, *S)``.
        """
        if draws is None:
            draws = torch.arange(len(keep), device=keep.device)
        size = self.scorer.points_per_pass or max(1, len(keep))
        for chunk, of_chunk in zip(keep.split(size), draws.split(size), strict=True):
            yield self.bound.removed(self._features(chunk), of_chunk)

    def play(self, keep: Tensor, draws: Tensor | None = None) -> Tensor:
        """Return the scores of coalitions.

        Args:
            keep: Coalitions, ``(K, B, m)`` or ``(K, 1, m)``.
            draws: See :meth:`copies`.

        Returns:
            Scores, ``(K, B)``, float64.

        Raises:
            ValueError: If the model returns NaN or Inf.
        """
        return checked_scores([self.scorer(points) for points in self.copies(keep, draws)])

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
