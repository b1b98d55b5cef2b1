"""Images of any mode as tensors of bytes with a given number of channels."""

from typing import Any

import torch
from torch import Tensor

# weights of red, green and blue in grey, in thousandths (ITU-R 601, as in Pillow)
_LUMA = (299, 587, 114)
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB")


def pixels_of(image: Any, channels: int) -> Tensor:
    """Return an image as bytes, ``(C, H, W)`` uint8, converted to grey or colour if needed.

    Args:
        image: A PIL image, a path of one, or an array or tensor of bytes, ``(H, W)`` or
            ``(H, W, C)``.
        channels: 1 for grey, 3 for colour. Transparency is dropped.

    Raises:
        TypeError: If an array does not hold bytes.
        ValueError: If the image has more than 8 bits per channel, or another shape.

    Example:
        >>> pixels_of(torch.full((2, 2), 7, dtype=torch.uint8), 3).shape
        torch.Size([3, 2, 2])
    """
    if isinstance(image, str):
        from PIL import Image

        with Image.open(image) as opened:
            return pixels_of(opened, channels)
    if hasattr(image, "convert"):
        return _of_pil(image, channels)
    pixels = torch.as_tensor(image)
    if pixels.ndim not in (2, 3):
        raise ValueError(f"image must have shape (H, W) or (H, W, C), got {tuple(pixels.shape)}")
    pixels = pixels[None] if pixels.ndim == 2 else pixels.movedim(2, 0)
    return with_channels(pixels[None], channels)[0]


def with_channels(pixels: Tensor, channels: int) -> Tensor:
    """Return images with a given number of channels.

    Args:
        pixels: ``(N, C, H, W)`` uint8: grey, grey and transparency, colour, or colour and
            transparency.
        channels: 1 or 3.

    Returns:
        ``(N, channels, H, W)`` uint8; grey is repeated for each colour, and colours are averaged by
        their luminance.

    Raises:
        TypeError: If the images do not hold bytes.
        ValueError: If they have another number of channels.
    """
    if pixels.dtype != torch.uint8:
        raise TypeError(f"images must hold bytes (uint8), got {pixels.dtype}")
    if pixels.shape[1] not in (1, 2, 3, 4):
        raise ValueError(f"images must have 1 to 4 channels, got {pixels.shape[1]}")
    pixels = pixels[:, : 1 if pixels.shape[1] < 3 else 3]
    if pixels.shape[1] == channels:
        return pixels
    if channels == 3:
        return pixels.expand(-1, 3, -1, -1)
    weights = torch.tensor(_LUMA, device=pixels.device)[:, None, None]
    grey = ((pixels.int() * weights).sum(dim=1, keepdim=True) + 500) // 1000
    return grey.to(torch.uint8)


def _of_pil(image: Any, channels: int) -> Tensor:
    import numpy as np

    if image.mode not in _EIGHT_BITS:
        raise ValueError(
            f"image must have 8 bits per channel, got mode {image.mode!r}; convert the files first"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns if it has to do this
    converted = np.array(image.convert("L" if channels == 1 else "RGB"))
    pixels = torch.from_numpy(converted)
    return pixels[None] if channels == 1 else pixels.movedim(2, 0)
