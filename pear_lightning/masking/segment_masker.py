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
    """Labelled regions of an image as features, across all channels.

    Labels are integers from 0 on. Labels need not be consecutive, and regions need not be
    connected. The features of an image are its labels in ascending order. Pixels labelled -1 belong
    to no feature and are never removed. Images may have different numbers of segments.

    Args:
        segments: Source of the labels: one map ``(H, W)`` for all images, or a function that maps
            images ``(B, C, H, W)`` to labels ``(B, H, W)``, such as
            :class:`~pear_lightning.masking.Slic`. ``None`` expects labels ``(B, H, W)`` with each
            batch, under the name ``segments``, such as ``masker_kwargs={"segments": labels}``.
            Labels given with a batch always take precedence, so that labels of a slow function can
            be cached.
        baseline: Values of removed segments; ``"own_mean"`` is the mean colour of the image's
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
                    f"{tuple(segments.shape)}; pass maps of single images (B, H, W) with each "
                    "batch, masker_kwargs={'segments': labels}"
                )
            self._shared = _numbered(segments[None])
        elif segments is not None and not callable(segments):
            raise TypeError(
                "segments must be a tensor (H, W), a function of the images or None, got "
                f"{type(segments).__name__}"
            )

    def init_args(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        segments = self.segmenter if self._shared is None else self._shared[0]
        return {"segments": segments, "baseline": self.baseline, "pooling": self.pooling}

    @property
    def n_features(self) -> int:
        """Number of segments n of a map shared by all images.

        Raises:
            ValueError: If every image has its own map.
        """
        if self._shared is None:
            raise ValueError(
                "segments must be one map (H, W) shared by all images for their number to be "
                "known, got separate maps; use SegmentMasker(segments=labels)"
            )
        return self._count(self._shared)

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the segment index of every pixel.

        Args:
            inputs: Inputs, ``(B, C, H, W)``.
            sample_data: ``segments (B, H, W)``, if every image has its own.

        Returns:
            Long, ``(B, 1, H, W)``, or ``(1, 1, H, W)`` if shared.
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
                    "segments must be given to SegmentMasker or with the batch, got None; pass "
                    "SegmentMasker a map (H, W) or a function such as Slic(), or pass labels "
                    "(B, H, W) with each batch, masker_kwargs={'segments': labels}"
                )
            given = self.segmenter(inputs.detach())
        if given.shape != (len(inputs), *size):
            raise ValueError(
                f"segments must be a map for each image, {(len(inputs), *size)}, got "
                f"{tuple(given.shape)}"
            )
        return _numbered(given.to(inputs.device))[:, None]

    def pool(self, attributions: Tensor, **sample_data: Tensor) -> Tensor:
        """Pool attributions of images to saliency, ``(B, n)``.

        The images share a map, or their maps are given.

        Args:
            attributions: ``(B, C, H, W)``, ``(B, 1, H, W)`` or ``(B, H, W)``.
            **sample_data: ``segments (B, H, W)``, if every image has its own.

        Raises:
            ValueError: If the segments are a function of the images.
        """
        if self.segmenter is not None and sample_data.get("segments") is None:
            raise ValueError(
                "segments must be given to pool attributions if they are a function of the images, "
                "got None; use masker.bind(images).pool(attributions), or pass segments=labels "
                "(B, H, W)"
            )
        return super().pool(attributions, **sample_data)

    def settings(self) -> str:
        """Return the source of the segments, for ``repr``."""
        if self._shared is None:
            return f"segments={self.segmenter!r}"
        return f"segments={self.n_features} on {tuple(self._shared.shape[1:])}"

    def _like_inputs(self, attributions: Tensor) -> Tensor:
        return attributions[:, None] if attributions.ndim == 3 else attributions

    def _count(self, feature_map: Tensor) -> int:
        return int(feature_map.max()) + 1 if feature_map.numel() else 0


def _numbered(labels: Tensor) -> Tensor:
    """Return labels ``(B, H, W)`` renumbered from 0 in each image; -1 is kept."""
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"segments must be integers, got {labels.dtype}")
    flat = labels.long().flatten(1)
    if flat.numel() and int(flat.min()) < -1:
        raise ValueError(
            "segments must be labelled from 0 on, or -1 where a pixel is never removed, got "
            f"{int(flat.min())}"
        )
    ordered, order = flat.sort(dim=1)
    first = (ordered[:, :1] >= 0).long()  # -1 sorts first, if present, and stays -1
    steps = torch.cat([first, (ordered.diff(dim=1) > 0).long()], dim=1)
    numbers = steps.cumsum(dim=1) - 1
    return torch.empty_like(flat).scatter_(1, order, numbers).view(labels.shape)
