"""Resizing, cropping and normalization of images, and random changes for training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.nn.timm_model import image_settings

Interpolation = Literal["nearest", "bilinear", "bicubic"]
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class ImageTransform:
    """Resize, crop and normalise images of bytes.

    The image is resized so that its crop is ``crop_fraction`` of it, its centre is cropped, and
    each channel is normalised: ``(value / 255 - mean) / std``.

    Args:
        channels: Number of channels: 1 or 3.
        size: Height and width of the result; ``None`` keeps the size.
        mean: Mean of each channel, on the scale from 0 to 1.
        std: Standard deviation of each channel.
        interpolation: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``; the latter two average over
            the pixels when they make an image smaller.
        crop_fraction: Share of height and width that is left after cropping, above 0 to 1; below 1
            only with ``size``.
        keep_ratio: Whether to keep the ratio of height and width when resizing; otherwise, the
            image is squashed.

    Shapes:
        - images: ``(N, channels, H, W)`` uint8
        - result: ``(N, channels, *size)`` float32

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> transform = ImageTransform(1, (4, 4), mean=(0.5,), std=(0.5,))
        >>> transform(torch.full((2, 1, 8, 10), 255, dtype=torch.uint8)).unique()
        tensor([1.])
    """

    channels: int = 3
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    interpolation: Interpolation = "bilinear"
    crop_fraction: float = 1.0
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 (grey) or 3 (colour), got {self.channels}")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"image_size must be at least 1, got {self.size}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) not in (1, self.channels):
                raise ValueError(
                    f"{name} must have one value, or one for each of {self.channels} channels, got "
                    f"{list(values)}"
                )
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std must be above 0, got {list(self.std)}")
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be one of {_INTERPOLATIONS}, got {self.interpolation!r}"
            )
        if not 0 < self.crop_fraction <= 1:
            raise ValueError(f"crop_fraction must lie in (0, 1], got {self.crop_fraction}")
        if self.size is None and self.crop_fraction < 1:
            raise ValueError(
                f"crop_fraction must be 1 without image_size, got {self.crop_fraction}; give the "
                "height and width that the images have after cropping as image_size"
            )

    @classmethod
    def of_model(
        cls, name: str, size: tuple[int, int] | None = None, channels: int | None = None
    ) -> "ImageTransform":
        """Return the transform with which timm evaluates a model.

        Args:
            name: Name of the model, with the tag of its weights if it has several.
            size: Another height and width, without cropping; ``None`` for those of the model.
            channels: Another number of channels; ``None`` for that of the model.

        Raises:
            ImportError: If timm cannot be imported.
            ValueError: If timm has no such model, or it needs images of another kind.
        """
        settings = image_settings(name)
        if settings["crop_mode"] not in ("center", "squash"):
            raise ValueError(
                "model_name must be a model whose images are cropped or squashed, got "
                f"{name!r} with crop_mode={settings['crop_mode']!r}; give image_size, mean and std"
            )
        channels = channels or settings["input_size"][0]
        mean, std = settings["mean"], settings["std"]
        if channels == 1 and len(mean) == 3:
            mean, std = ((sum(each) / 3,) for each in (mean, std))
        return cls(
            channels,
            size or settings["input_size"][1:],
            mean,
            std,
            settings["interpolation"],
            1.0 if size else settings["crop_pct"],
            settings["crop_mode"] == "center",
        )

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return normalised images ``(N, channels, *size)``."""
        shape = (1, -1, 1, 1)
        mean, std = (torch.tensor(each).view(shape) for each in (self.mean, self.std))
        # resized as bytes, as Pillow does, which rounds and limits values between its two passes
        return (self._of_size(pixels, self.interpolation).float() / 255 - mean) / std

    def of_mask(self, mask: Tensor) -> Tensor:
        """Return masks ``(N, *size)`` bool of masks ``(N, H, W)`` bool of the same images."""
        return self._of_size(mask[:, None].float(), "nearest")[:, 0] > 0

    def _of_size(self, images: Tensor, interpolation: str) -> Tensor:
        if self.size is None:
            return images
        wanted = [math.floor(each / self.crop_fraction) for each in self.size]
        height, width = images.shape[2:]
        if self.keep_ratio:
            factor = max(wanted[0] / height, wanted[1] / width)
            wanted = [max(wanted[0], int(height * factor)), max(wanted[1], int(width * factor))]
        if wanted != [height, width]:
            images = F.interpolate(
                images,
                size=wanted,
                mode="nearest-exact" if interpolation == "nearest" else interpolation,
                antialias=interpolation != "nearest",
            )
        top, left = (round((a - b) / 2) for a, b in zip(wanted, self.size, strict=True))
        return images[..., top : top + self.size[0], left : left + self.size[1]]


def random_changes(images: Tensor, *, flip: bool, padding: int) -> Tensor:
    """Mirror and shift images at random, each on its own, with the global random generator.

    Args:
        images: ``(N, C, H, W)``; channels may include masks, which move with their images.
        flip: Whether to mirror half of the images.
        padding: Largest shift up, down, left and right in pixels; zeros fill the border.

    Returns:
        ``(N, C, H, W)``.
    """
    if flip:
        mirrored = torch.rand(len(images)) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if padding:
        _, _, height, width = images.shape
        wide = F.pad(images, [padding] * 4)
        down, right = (torch.randint(2 * padding + 1, (len(images),)) for _ in range(2))
        rows = (down[:, None] + torch.arange(height))[:, None, :, None]
        columns = (right[:, None] + torch.arange(width))[:, None, None, :]
        numbers = torch.arange(len(images))[:, None, None, None]
        channels = torch.arange(images.shape[1])[None, :, None, None]
        images = wide[numbers, channels, rows, columns]
    return images


def as_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return height and width of one number, of a pair, or ``None``.

    Args:
        size: Height and width, or one number for both.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> as_size(32), as_size([32, 48])
        ((32, 32), (32, 48))
    """
    if size is None or isinstance(size, int):
        return None if size is None else (size, size)
    if len(size) != 2:
        raise ValueError(f"image_size must be one number or (height, width), got {size}")
    return (int(size[0]), int(size[1]))
