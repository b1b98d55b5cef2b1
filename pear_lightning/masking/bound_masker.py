"""The features of one batch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.functional.validation import check_attributions
from pear_lightning.masking.baseline import Baseline

Pooling = Literal["sum", "mean"]


@dataclass(frozen=True, eq=False)
class BoundMasker:
    """A masker's features in one batch of inputs: pools attributions to them and removes them.

    Made by :meth:`Masker.bind`. What does not change while the batch is worked on (the feature of
    every element, a blurred copy) is found once.

    Attributes:
        inputs: Inputs, ``(B, *S)``.
        feature_map: Which feature an element belongs to, long, ``(B, *S)`` or with 1 in some
            dimensions; -1 for elements that are never removed.
        n_features: Largest number of features n of a sample.
        baseline: What removed elements become.
        pooling: How attributions of the elements of a feature are pooled.
        channel_dim: Dimension that attributions may lack (the channels of an image, the
            components of an embedding).
        draw: Number of the draw of a random baseline that copies take where none is said.
    """

    inputs: Tensor
    feature_map: Tensor
    n_features: int
    baseline: Baseline
    pooling: Pooling = "sum"
    channel_dim: int | None = None
    draw: int = 0

    @cached_property
    def present(self) -> Tensor:
        """Which features a sample has, ``(B, n)`` bool; samples may differ in their number."""
        return (self._sizes(self.feature_map) > 0).expand(len(self.inputs), -1)

    @cached_property
    def seeds(self) -> Tensor:
        """Seeds of the samples, ``(B,)`` long, from the values of their features."""
        return sample_seeds(self.inputs, where=self._where)

    def pool(self, attributions: Tensor, *, validate: bool = True) -> Tensor:
        """Pool attributions to features, signed.

        Args:
            attributions: ``(B, *S)``; 1 in a dimension, or the channel dimension missing, where
                there is one value for all of it; a further dimension at the end (components of
                embeddings, where the inputs are token ids) is summed.
            validate: Whether to check type and values, where nobody has done so.

        Returns:
            Saliency ``(B, n)``, float32 or better; 0 for a feature that a sample lacks.

        Raises:
            TypeError: If the attributions are not floating.
            ValueError: If their shape does not fit the inputs, or they hold NaN or Inf.
        """
        if validate:
            check_attributions("attributions", attributions)
        feature_map, attributions = self._aligned(attributions)
        dtype = torch.promote_types(attributions.dtype, torch.float32)
        values = attributions.to(dtype).flatten(1)
        index = feature_map.expand(attributions.shape).flatten(1)
        if self._is_identity and index.shape[1] == self.n_features:
            return values
        sums = values.new_zeros(len(values), self.n_features + 1)  # one more, for what is never
        sums = sums.scatter_add(1, index.where(index >= 0, self.n_features), values)
        saliency = sums[:, :-1]
        if self.pooling == "mean":
            saliency = saliency / self._sizes(index.view(attributions.shape)).clamp(min=1)
        return saliency

    def spread(self, saliency: Tensor) -> Tensor:
        """Share each feature's saliency among its elements, so that pooling gives it back.

        Args:
            saliency: ``(B, n)``.

        Returns:
            Attributions ``(B, *S)``; 0 on elements that belong to no feature.
        """
        if self._is_identity:
            return saliency.view(self.inputs.shape)
        index = self.feature_map.expand(self.inputs.shape)
        if self.pooling == "sum":
            saliency = saliency / self._sizes(index).clamp(min=1)
        padded = torch.cat([saliency, saliency.new_zeros(len(saliency), 1)], dim=1)
        index = index.where(index >= 0, self.n_features).flatten(1)
        return padded.gather(1, index).view(self.inputs.shape)

    def apply(self, keep: Tensor, draws: Tensor | None = None) -> Tensor:
        """Return copies of the inputs with features removed.

        Args:
            keep: ``(B, K, n)`` or ``(1, K, n)`` bool; True is left in place.
            draws: ``(K,)`` long: which draw of a random baseline each copy takes; None is
                :attr:`draw` for all, found once. Ignored by other baselines.

        Returns:
            ``(B, K, *S)``, a view whose memory has K before B.

        Raises:
            ValueError: If the shape of ``keep`` does not fit.
        """
        batch_size, shape = self.inputs.shape[0], self.inputs.shape[1:]
        fits = keep.ndim == 3 and keep.shape[0] in (1, batch_size)
        if keep.dtype != torch.bool or not fits or keep.shape[2] != self.n_features:
            raise ValueError(
                f"keep must be bool, ({batch_size}, K, {self.n_features}), got {keep.dtype}, "
                f"{tuple(keep.shape)}"
            )
        return (
            self.removed(keep.transpose(0, 1), draws)
            .transpose(0, 1)
            .view(batch_size, keep.shape[1], *shape)
        )

    def removed(self, keep: Tensor, draws: Tensor | None = None) -> Tensor:
        """Do what :meth:`apply` does, with K first: ``keep (K, B, n)`` to ``(K, B, *S)``.

        Args:
            keep: ``(K, B, n)`` or ``(K, 1, n)`` bool.
            draws: ``(K,)`` long, or None.

        Returns:
            ``(K, B, *S)``.
        """
        return torch.where(self._elements(keep), self.inputs, self._replacements(draws))

    def _elements(self, keep: Tensor) -> Tensor:
        """Return which elements stay, broadcastable to ``(K, B, *S)``."""
        if self._is_identity:
            return keep.view(*keep.shape[:2], *self.inputs.shape[1:])
        if self._where is not None:
            keep = torch.cat([keep, keep.new_ones(*keep.shape[:2], 1)], dim=2)
        index = self.feature_map.where(self.feature_map >= 0, self.n_features).flatten(1)
        if len(index) == 1:
            elements = keep.index_select(2, index[0])  # twice as fast as indexing
        else:
            elements = keep.expand(-1, len(index), -1).gather(
                2, index.expand(len(keep), *index.shape)
            )
        return elements.view(*elements.shape[:2], *self.feature_map.shape[1:])

    def _replacements(self, draws: Tensor | None) -> Tensor:
        if self.baseline.is_random and draws is not None:
            return self.baseline.replacements(self.inputs, self.seeds, draws, self._where)
        return self._shared_replacements

    @cached_property
    def _shared_replacements(self) -> Tensor:
        draw = torch.tensor([self.draw], device=self.inputs.device)
        seeds = self.seeds if self.baseline.is_random else draw
        return self.baseline.replacements(self.inputs, seeds, draw, self._where)

    @cached_property
    def _is_identity(self) -> bool:
        """Whether every element is a feature of its own, in order."""
        numbers = torch.arange(self.n_features, device=self.feature_map.device)
        own = self.feature_map.shape[1:] == self.inputs.shape[1:]
        return (
            own and len(self.feature_map) == 1 and torch.equal(self.feature_map.flatten(), numbers)
        )

    @cached_property
    def _where(self) -> Tensor | None:
        """Which elements belong to a feature, or None where all do."""
        where = self.feature_map >= 0
        return None if bool(where.all()) else where

    def _sizes(self, feature_map: Tensor) -> Tensor:
        """Return how many elements of a map ``(B, ...)`` each feature has, ``(B, n)``."""
        index = feature_map.flatten(1)
        index = index.where(index >= 0, self.n_features)
        sizes = index.new_zeros(len(index), self.n_features + 1)
        return sizes.scatter_add(1, index, torch.ones_like(index))[:, :-1]

    def _aligned(self, attributions: Tensor) -> tuple[Tensor, Tensor]:
        """Return map and attributions with the same number of dimensions."""
        shape, wanted = attributions.shape, self.inputs.shape
        if shape == wanted:
            return self.feature_map, attributions
        if self.channel_dim is not None and len(shape) == len(wanted) - 1:
            attributions = attributions.unsqueeze(self.channel_dim)
        elif len(shape) == len(wanted) + 1 and shape[:-1] == wanted:
            return self.feature_map[..., None], attributions
        channel = None if self.channel_dim is None else self.channel_dim % len(wanted)
        fits = attributions.ndim == len(wanted) and all(
            given == full or (given == mapped == 1 and dim == channel)
            for dim, (given, full, mapped) in enumerate(
                zip(attributions.shape, wanted, self.feature_map.shape, strict=True)
            )
        )
        if not fits:
            raise ValueError(
                f"attributions must have the shape of the inputs, {tuple(wanted)}, "
                f"got {tuple(shape)}"
            )
        return self.feature_map, attributions
