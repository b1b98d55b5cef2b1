"""Base class of maskers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.validation import check_choice, check_finite
from pear_lightning.masking.baseline_spec import BaselineSpec, resolve_baseline
from pear_lightning.masking.bound_masker import BoundMasker, Pooling


class Masker(Rebuildable, ABC):
    """Base class of maskers, which define features, pool attributions to them and remove them.

    Subclasses implement :meth:`feature_map`, which assigns every element of the inputs to a
    feature. Samples may have different numbers of features (segments, tokens): n is the largest,
    and a feature that a sample lacks is never removed from it and has saliency 0.

    A masker is not an ``nn.Module``, because ``apply`` has another meaning there. Its baseline is a
    module, which a module that holds the masker may register.

    Args:
        baseline: Values of removed elements: ``"zeros"``, ``"mean"`` (of the training data, after
            :meth:`fit`), a number, a tensor ``(*S)``, ``"own_mean"``, ``"blur"``, ``"uniform"``,
            ``"gaussian"`` or ``"shuffle"``; or a :class:`~pear_lightning.masking.Baseline`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of a feature's elements.

    Raises:
        ValueError: If the baseline or the pooling is unknown.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``
        - saliency: ``(B, n)``
        - keep: ``(B, K, n)`` bool; true keeps a feature
    """

    channel_dim: int | None = None

    def __init__(self, baseline: BaselineSpec = "zeros", pooling: Pooling = "sum") -> None:
        check_choice("pooling", pooling, ("sum", "mean"))
        self.baseline = resolve_baseline(baseline)
        self.pooling: Pooling = pooling

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of features n, if it does not depend on the inputs."""

    @abstractmethod
    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the feature index of every element.

        Args:
            inputs: Inputs, ``(B, *S)``.
            sample_data: Further tensors with one row per sample, by name, such as an attention
                mask; a masker uses the names that it knows.

        Returns:
            Long, ``(B, *S)`` or with size 1 in some dimensions (including the first): 0 .. n - 1,
            or -1 for elements that are never removed.

        Raises:
            ValueError: If the inputs do not have the shape that the masker expects.
        """

    def bind(
        self,
        inputs: Tensor,
        sample_data: Mapping[str, Any] | None = None,
        *,
        validate: bool = True,
    ) -> BoundMasker:
        """Return the features of one batch.

        Args:
            inputs: Inputs, ``(B, *S)``.
            sample_data: See :meth:`feature_map`.
            validate: Whether to check the inputs for NaN and Inf.

        Raises:
            ValueError: If a sample has no feature, the inputs hold NaN or Inf, or their shape does
                not fit.
        """
        if inputs.ndim < 2:
            raise ValueError(
                "inputs must have a batch dimension and features, (B, *S), "
                f"got {tuple(inputs.shape)}"
            )
        if validate:
            check_finite("inputs", inputs)
        feature_map = self.feature_map(inputs, sample_data or {})
        bound = BoundMasker(
            inputs=inputs,
            feature_map=feature_map,
            n_features=self._count(feature_map),
            baseline=self.baseline,
            pooling=self.pooling,
            channel_dim=self.channel_dim,
        )
        empty = ~bound.present.any(dim=1)
        if len(inputs) and bool(empty.any()):
            row = int(empty.nonzero()[0, 0])
            raise ValueError(
                "inputs must have at least one feature per sample, got "
                f"{int(empty.sum())} of {len(empty)} samples without one from "
                f"{type(self).__name__}; the first is sample {row}"
            )
        return bound

    def pool(self, attributions: Tensor, **sample_data: Tensor) -> Tensor:
        """Pool attributions to saliency, ``(B, n)``; see :meth:`BoundMasker.pool`.

        Args:
            attributions: ``(B, *S)``, in the shape of the inputs.
            **sample_data: See :meth:`feature_map`.
        """
        return self.bind(self._like_inputs(attributions), sample_data).pool(attributions)

    def apply(self, inputs: Tensor, keep: Tensor, **sample_data: Tensor) -> Tensor:
        """Return copies with features removed, ``(B, K, *S)``; see :meth:`BoundMasker.apply`.

        Args:
            inputs: ``(B, *S)``.
            keep: ``(B, K, n)`` bool; true keeps a feature.
            **sample_data: See :meth:`feature_map`.
        """
        draws = torch.arange(keep.shape[1], device=inputs.device) if keep.ndim == 3 else None
        return self.bind(inputs, sample_data).apply(keep, draws)

    def fit(self, mean: Tensor) -> None:
        """Pass the mean of the training inputs to the baseline.

        Args:
            mean: Mean of the training inputs, ``(*S)``.
        """
        self.baseline.fit(mean)

    def with_baseline(self, baseline: BaselineSpec) -> Self:
        """Return a masker with the same features and another baseline.

        Args:
            baseline: Values of removed elements.
        """
        other = copy(self)
        other.baseline = resolve_baseline(baseline)
        return other

    def settings(self) -> str:
        """Return the settings of a subclass, for ``repr``."""
        return ""

    def __repr__(self) -> str:
        """Return the class, the settings and the baseline."""
        parts = filter(None, [self.settings(), f"baseline={self.baseline!r}"])
        return f"{type(self).__name__}({', '.join(parts)}, pooling={self.pooling!r})"

    def _like_inputs(self, attributions: Tensor) -> Tensor:
        """Return attributions with the number of dimensions of the inputs, in place of these."""
        return attributions

    def _count(self, feature_map: Tensor) -> int:
        """Return the number of features in a batch, given its feature map."""
        return self.n_features
