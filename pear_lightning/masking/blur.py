"""A baseline of blurred images."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.validation import check_floating
from pear_lightning.masking.baseline import Baseline


class Blur(Baseline):
    """Gaussian blur of the image itself, with reflected edges.

    Args:
        sigma: Standard deviation of the kernel, in pixels.
        kernel_size: Side length of the kernel, odd, in pixels.

    Raises:
        ValueError: If ``sigma`` is not positive or ``kernel_size`` is not a positive odd number;
            when called, if the inputs are not images, or the kernel is too large for them.

    Shapes:
        - inputs: ``(B, C, H, W)``
        - output: ``(1, B, C, H, W)``

    References:
        Petsiuk, Das, Saenko, *RISE: Randomized Input Sampling for Explanation of Black-box
        Models*, BMVC 2018, arXiv 1806.07421 (insertion starts from a blurred image; the default
        kernel is the one of their released evaluation).
    """

    def __init__(self, sigma: float = 5.0, kernel_size: int = 11) -> None:
        super().__init__()
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be a positive odd number, got {kernel_size}")
        self.sigma, self.kernel_size = sigma, kernel_size

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the blurred images, ``(1, B, C, H, W)``.

        Args:
            inputs: Inputs, ``(B, C, H, W)``.
            seeds: Not used.
            draws: Not used.
            where: Not used: the whole image is blurred.
        """
        check_floating("inputs", inputs)
        reach = self.kernel_size // 2
        if inputs.ndim != 4 or min(inputs.shape[2:]) <= reach:
            raise ValueError(
                f"inputs must be images (B, C, H, W) larger than {reach} pixels for "
                f"baseline='blur', got {tuple(inputs.shape)}"
            )
        images = inputs.flatten(0, 1)[:, None]
        images = images.to(torch.promote_types(images.dtype, torch.float32))
        distance = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
        kernel = torch.softmax(-(distance**2) / (2 * self.sigma**2), dim=0)
        with torch.autocast(images.device.type, enabled=False):
            for dims in ((1, -1), (-1, 1)):  # rows, then columns
                padding = (reach, reach, 0, 0) if dims[0] == 1 else (0, 0, reach, reach)
                padded = F.pad(images, padding, mode="reflect")
                images = F.conv2d(padded, kernel.view(1, 1, *dims))
        return images.view(inputs.shape).to(inputs.dtype)[None]

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"sigma={self.sigma}, kernel_size={self.kernel_size}"
