"""A masker's features in one batch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from pear_lightning.functional.chosen import chosen
from pear_lightning.functional.hashed_random import sample_seeds
from pear_lightning.functional.validation import check_attributions, is_traced
from pear_lightning.masking.baseline import Baseline

Pooling = Literal["sum", "mean"]


@dataclass(frozen=True, eq=False)
class BoundMasker:
    """Features of a masker in one batch of inputs; pools attributions to them and removes them.

    Created by :meth:`Masker.bind`. Values that are the same for the whole batch (the feature of
    every element, a blurred copy) are computed once.

    Attributes:
        inputs: Inputs, ``(B, *S)``.
        feature_map: Index of the feature that an element belongs to, long, ``(B, *S)`` or with
            size 1 in some dimensions; -1 for elements that are never removed.
        n_features: Largest number of features n of a sample.
        baseline: Values of removed elements.
        pooling: Reduction of the attributions of a feature's elements.
        channel_dim: Dimension that attributions may lack (the channels of an image, the
            components of an embedding).
        draw: Index of the draw of a random baseline that copies take by default.
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
        """Which features a sample has, ``(B, n)`` bool; samples may have different numbers."""
        return (self._sizes(self.feature_map) > 0).expand(len(self.inputs), -1)

    @cached_property
    def present_if_some_lack(self) -> Tensor | None:
        """:attr:`present`, or ``None`` if every sample has all features."""
        present = self.present
        return None if not torch.compiler.is_compiling() and bool(present.all()) else present

    @cached_property
    def at_baseline(self) -> Tensor:
        """Which features equal the baseline, so that removing them has no effect, ``(B, n)`` bool.

        All elements of the feature have the value that would replace them. True for features that
        a sample lacks; false for all others if the baseline is random, because no draw stands for
        the others.
        """
        if self.baseline.is_random:
            return ~self.present
        shape = self.inputs.shape
        differs = (self.inputs != self._shared_replacements[0]).expand(shape).flatten(1)
        if self._is_identity:
            return ~differs
        index = self.feature_map.expand(shape).flatten(1)
        index = index.where(index >= 0, self.n_features)
        changes = index.new_zeros(len(index), self.n_features + 1)
        return changes.scatter_add(1, index, differs.long())[:, :-1] == 0

    @cached_property
    def seeds(self) -> Tensor:
        """Seeds of the samples, ``(B,)`` long, computed from the values of their features."""
        return sample_seeds(self.inputs, where=self._where)

    def pool(self, attributions: Tensor, *, validate: bool = True) -> Tensor:
        """Pool attributions to features, signed.

        Args:
            attributions: ``(B, *S)``. The channel dimension may have size 1 or be missing if one
                value stands for all channels. An additional last dimension (components of
                embeddings, if the inputs are token ids) is summed.
            validate: Whether to check the dtype and the values.

        Returns:
            Saliency ``(B, n)``, float32 or better; 0 for features that a sample lacks.

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
        sums = values.new_zeros(len(values), self.n_features + 1)  # last: elements of no feature
        sums = sums.scatter_add(1, index.where(index >= 0, self.n_features), values)
        saliency = sums[:, :-1]
        if self.pooling == "mean":
            saliency = saliency / self._sizes(index.view(attributions.shape)).clamp(min=1)
        return saliency

    def spread(self, saliency: Tensor) -> Tensor:
        """Distribute each feature's saliency over its elements, so that pooling returns it.

        Args:
            saliency: ``(B, n)``.

        Returns:
            Attributions ``(B, *S)``; 0 for elements of no feature.
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
            keep: ``(B, K, n)`` or ``(1, K, n)`` bool; True keeps a feature.
            draws: ``(K,)`` long, the draw of a random baseline for each copy; ``None`` means
                :attr:`draw` for all copies, computed once. Ignored by other baselines.

        Returns:
            ``(B, K, *S)``, a view with K before B in memory.

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
        """Return copies as :meth:`apply` does, with K first, ``(K, B, *S)``.

        Args:
            keep: ``(K, B, n)`` or ``(K, 1, n)`` bool.
            draws: ``(K,)`` long, or ``None``.
        """
        return chosen(self._elements(keep), self.inputs, self._replacements(draws))

    def _elements(self, keep: Tensor) -> Tensor:
        """Return which elements are kept, broadcastable to ``(K, B, *S)``."""
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
        values = self.baseline.replacements(self.inputs, seeds, draw, self._where)
        if values.device.type == "cpu" and not is_traced(values) and not values.requires_grad:
            # a single number is copied faster
            same = bool((values == 0).all()) and not bool(values.signbit().any())
            return values.new_zeros((1,) * values.ndim) if same else values
        return values

    @cached_property
    def _is_identity(self) -> bool:
        """Whether every element is its own feature, in order."""
        numbers = torch.arange(self.n_features, device=self.feature_map.device)
        own = self.feature_map.shape[1:] == self.inputs.shape[1:]
        return (
            own and len(self.feature_map) == 1 and torch.equal(self.feature_map.flatten(), numbers)
        )

    @cached_property
    def _where(self) -> Tensor | None:
        """Which elements belong to a feature, or ``None`` if all do."""
        where = self.feature_map >= 0
        return None if bool(where.all()) else where

    def _sizes(self, feature_map: Tensor) -> Tensor:
        """Return the number of elements of each feature in a map ``(B, ...)``, ``(B, n)``."""
        index = feature_map.flatten(1)
        index = index.where(index >= 0, self.n_features)
        sizes = index.new_zeros(len(index), self.n_features + 1)
        return sizes.scatter_add(1, index, torch.ones_like(index))[:, :-1]

    def _aligned(self, attributions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the feature map and the attributions with equal numbers of dimensions."""
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
