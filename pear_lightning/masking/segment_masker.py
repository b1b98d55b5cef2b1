"""Segments of an image as features."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling
from pear_lightning.masking.masker import Masker
from pear_lightning.masking.segmenter import Segmenter


class SegmentMasker(Masker):
    """Labelled regions of an image as features, all channels together.

    Labels are integers from 0 on; they need not be consecutive, nor regions connected. The features
    of an image are its labels in ascending order. Pixels labelled -1 belong to no feature: they are
    never removed. Images may differ in the number of their segments.

    Args:
        segments: Where the labels come from: one map ``(H, W)`` for all images, or a function of
            the images, ``(B, C, H, W)`` to ``(B, H, W)``, such as
            :class:`~pear_lightning.masking.Slic`. None expects labels ``(B, H, W)`` beside each
            batch, under the name ``segments``, such as ``masker_kwargs={"segments": labels}``.
            Labels that are given so come first in any case, so that those of a slow function can
            be kept.
        baseline: What removed segments become; ``"own_mean"`` is the mean colour of the image's
            segments. See :class:`~pear_lightning.masking.Masker`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of a segment.

    Raises:
        TypeError: If labels are not integers.
        ValueError: If a label is below -1; when used, if there are no labels, their shape does not
            fit the images, or an image has no segment.

    Shapes:
        - inputs: ``(B, C, H, W)``
        - segments: ``(H, W)`` shared, or ``(B, H, W)``
        - attributions: ``(B, C, H, W)``, ``(B, 1, H, W)`` or ``(B, H, W)``
        - saliency: ``(B, n)``; n is the largest number of segments of an image

    Example:
        >>> import torch
        >>> masker = SegmentMasker(torch.tensor([[0, 0, 7], [-1, 0, 7]]))
        >>> masker.n_features
        2
        >>> masker.pool(torch.ones(1, 3, 2, 3))
        tensor([[9., 6.]])

    References:
        Rieger, Hansen, *IROF: a low resource evaluation metric for explanation methods*, 2020,
        arXiv 2003.08747 (segments replaced by the mean colour).
    """

    channel_dim = 1

    def __init__(
        self,
        segments: Tensor | Segmenter | Callable[[Tensor], Tensor] | None = None,
        *,
        baseline: BaselineSpec = "zeros",
        pooling: Pooling = "sum",
    ) -> None:
        super().__init__(baseline, pooling)
        self.segmenter = None if isinstance(segments, Tensor) else segments
        self._shared: Tensor | None = None
        if isinstance(segments, Tensor):
            if segments.ndim != 2:
                raise ValueError(
                    "segments shared by all images must be a map (H, W), got "
                    f"{tuple(segments.shape)}; maps of single images (B, H, W) are given with "
                    "each batch, masker_kwargs={'segments': labels}"
                )
            self._shared = _numbered(segments[None])
        elif segments is not None and not callable(segments):
            raise TypeError(
                "segments must be a tensor (H, W), a function of the images or None, got "
                f"{type(segments).__name__}"
            )

    @property
    def n_features(self) -> int:
        """Number of segments n of a map that all images share.

        Raises:
            ValueError: If every image has its own map.
        """
        if self._shared is None:
            raise ValueError(
                "the number of segments depends on the images; it is known beforehand only where "
                "they share a map, SegmentMasker(segments=labels (H, W))"
            )
        return self._count(self._shared)

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the number of every pixel's segment.

        Args:
            inputs: Inputs, ``(B, C, H, W)``.
            sample_data: ``segments (B, H, W)``, where every image has its own.

        Returns:
            Long, ``(B, 1, H, W)``, or ``(1, 1, H, W)`` where shared.
        """
        if inputs.ndim != 4:
            raise ValueError(f"inputs must be images (B, C, H, W), got {tuple(inputs.shape)}")
        given = sample_data.get("segments")
        size = inputs.shape[2:]
        if given is None and self._shared is not None:
            if self._shared.shape[1:] != size:
                raise ValueError(
                    "inputs must be images of the size of segments, "
                    f"{tuple(self._shared.shape[1:])}, got {tuple(size)}"
                )
            return self._shared[:, None].to(inputs.device)
        if given is None:
            if self.segmenter is None:
                raise ValueError(
                    "segments of the images are not known: give SegmentMasker a map (H, W) or a "
                    "function such as Slic(), or labels (B, H, W) with each batch, "
                    "masker_kwargs={'segments': labels}"
                )
            given = self.segmenter(inputs.detach())
        if given.shape != (len(inputs), *size):
            raise ValueError(
                f"segments must be a map for each image, {(len(inputs), *size)}, got "
                f"{tuple(given.shape)}"
            )
        return _numbered(given.to(inputs.device))[:, None]

    def pool(self, attributions: Tensor, **sample_data: Tensor) -> Tensor:
        """Pool attributions of images that share a map, or whose maps are given.

        Args:
            attributions: ``(B, C, H, W)``, ``(B, 1, H, W)`` or ``(B, H, W)``.
            **sample_data: ``segments (B, H, W)``, where every image has its own.

        Returns:
            Saliency ``(B, n)``.

        Raises:
            ValueError: If the segments are a function of the images.
        """
        if self.segmenter is not None and sample_data.get("segments") is None:
            raise ValueError(
                "segments are a function of the images, which attributions do not show: use "
                "masker.bind(images).pool(attributions), or give segments=labels (B, H, W)"
            )
        return super().pool(attributions, **sample_data)

    def settings(self) -> str:
        """Say where the segments come from."""
        if self._shared is None:
            return f"segments={self.segmenter!r}"
        return f"segments={self.n_features} on {tuple(self._shared.shape[1:])}"

    def _like_inputs(self, attributions: Tensor) -> Tensor:
        return attributions[:, None] if attributions.ndim == 3 else attributions

    def _count(self, feature_map: Tensor) -> int:
        return int(feature_map.max()) + 1 if feature_map.numel() else 0


def _numbered(labels: Tensor) -> Tensor:
    """Return labels ``(B, H, W)`` with those of each image numbered from 0; -1 stays."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"segments must be integers, got {labels.dtype}")
    flat = labels.long().flatten(1)
    if flat.numel() and int(flat.min()) < -1:
        raise ValueError(
            "segments must be labelled from 0 on, or -1 where a pixel is never removed, got "
            f"{int(flat.min())}"
        )
    ordered, order = flat.sort(dim=1)
    first = (ordered[:, :1] >= 0).long()  # -1 comes first where there is one, and stays -1
    steps = torch.cat([first, (ordered.diff(dim=1) > 0).long()], dim=1)
    numbers = steps.cumsum(dim=1) - 1
    return torch.empty_like(flat).scatter_(1, order, numbers).view(labels.shape)
