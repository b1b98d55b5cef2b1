"""Superpixels by SLIC."""

import numpy as np
import torch
from torch import Tensor

from pear_lightning.masking.segmenter import Segmenter


class Slic(Segmenter):
    """Superpixels by SLIC, clusters of nearby pixels of similar colour, from scikit-image.

    Each image is segmented separately, on the CPU, in about ten milliseconds or more. If a batch is
    used often, cache its labels and pass them to the masker.

    Args:
        n_segments: Approximate number of superpixels of an image; there may be fewer, down to a
            single one for noise.
        compactness: Weight of proximity relative to colour similarity; higher values give squarer
            superpixels. scikit-image scales each image to [0, 1] first, so the value has the same
            meaning for normalised inputs.
        sigma: Standard deviation, in pixels, of a Gaussian that smooths the image first; 0 means no
            smoothing.

    Raises:
        ImportError: If scikit-image is not installed.
        ValueError: If a value is out of range; when called, if the inputs are not images.

    Shapes:
        - images: ``(B, C, H, W)``; images with three channels are compared as colours
        - output: labels ``(B, H, W)`` long, from 0 on

    Example:
        >>> from pear_lightning.masking import SegmentMasker
        >>> masker = SegmentMasker(Slic(n_segments=50), baseline="own_mean")

    References:
        Achanta, Shaji, Smith, Lucchi, Fua, Süsstrunk, *SLIC Superpixels Compared to
        State-of-the-Art Superpixel Methods*, IEEE TPAMI 2012.
    """

    def __init__(
        self, n_segments: int = 100, compactness: float = 10.0, *, sigma: float = 0.0
    ) -> None:
        if n_segments < 1:
            raise ValueError(f"n_segments must be at least 1, got {n_segments}")
        if not compactness > 0:
            raise ValueError(f"compactness must be positive, got {compactness}")
        if not sigma >= 0:
            raise ValueError(f"sigma must not be negative, got {sigma}")
        try:
            import skimage.segmentation  # noqa: F401 (report a missing extra at construction)
        except ImportError as error:
            raise ImportError(
                "Slic needs scikit-image: pip install 'pear-lightning[segments]'"
            ) from error
        self.n_segments, self.compactness, self.sigma = n_segments, compactness, sigma

    def __call__(self, images: Tensor) -> Tensor:
        """Return the superpixel label of every pixel, ``(B, H, W)`` long, on the images' device.

        Args:
            images: ``(B, C, H, W)``.
        """
        from skimage.segmentation import slic

        if images.ndim != 4:
            raise ValueError(f"images must be (B, C, H, W), got {tuple(images.shape)}")
        channels_last = images.detach().movedim(1, 3).double().cpu().numpy()
        labels = [
            slic(
                np.ascontiguousarray(image),
                n_segments=self.n_segments,
                compactness=self.compactness,
                sigma=self.sigma,
                start_label=0,
                channel_axis=-1,
            )
            for image in channels_last
        ]
        if not labels:
            return images.new_empty((0, *images.shape[2:]), dtype=torch.long)
        return torch.from_numpy(np.stack(labels)).long().to(images.device)

    def __repr__(self) -> str:
        """Return the class and its settings."""
        return (
            f"Slic(n_segments={self.n_segments}, compactness={self.compactness}, "
            f"sigma={self.sigma})"
        )
