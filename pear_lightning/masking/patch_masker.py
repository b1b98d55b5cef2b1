"""Patches of an image as features."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling
from pear_lightning.masking.masker import Masker


class PatchMasker(Masker):
    """A grid of rectangular patches of an image as features, across all channels.

    Patches are numbered row by row from the top left. If the patch size does not divide the image
    size, the patches at the right and bottom edges are smaller.

    Args:
        patch_size: Side length of a patch, or its height and width, in pixels; 1 makes every pixel
            a feature.
        image_size: Height and width of the images, or one number for square images. ``None``
            accepts images of any size; :attr:`n_features` is then unknown.
        baseline: Values of removed patches; see :class:`~pear_lightning.masking.Masker`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of a patch.

    Raises:
        TypeError: If a size is neither a number of pixels nor two of them.
        ValueError: If a size is not positive; when used, if the inputs are not images of that
            size.

    Shapes:
        - inputs: ``(B, C, H, W)``
        - attributions: ``(B, C, H, W)``, ``(B, 1, H, W)`` or ``(B, H, W)``
        - saliency: ``(B, n)``

    Example:
        >>> import torch
        >>> masker = PatchMasker(4, image_size=(8, 10))
        >>> masker.n_features
        6
        >>> masker.pool(torch.ones(1, 3, 8, 10))
        tensor([[48., 48., 24., 48., 48., 24.]])
    """

    channel_dim = 1

    def __init__(
        self,
        patch_size: int | tuple[int, int],
        image_size: int | tuple[int, int] | None = None,
        *,
        baseline: BaselineSpec = "zeros",
        pooling: Pooling = "sum",
    ) -> None:
        super().__init__(baseline, pooling)
        self.patch_size = _pair("patch_size", patch_size)
        self.image_size = None if image_size is None else _pair("image_size", image_size)

    @property
    def n_features(self) -> int:
        """Number of patches n.

        Raises:
            ValueError: If ``image_size`` was not given.
        """
        if self.image_size is None:
            raise ValueError(
                "image_size must be given for the number of patches to be known, got None; use "
                "PatchMasker(..., image_size=(height, width))"
            )
        rows, columns = self._grid(*self.image_size)
        return rows * columns

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the patch index of every pixel, ``(1, 1, H, W)`` long.

        Args:
            inputs: Inputs, ``(B, C, H, W)``.
            sample_data: Not used.
        """
        size = tuple(inputs.shape[2:])
        if inputs.ndim != 4 or (self.image_size is not None and size != self.image_size):
            height, width = self.image_size or ("H", "W")
            raise ValueError(
                f"inputs must be images (B, C, {height}, {width}), got {tuple(inputs.shape)}"
            )
        rows = torch.arange(size[0], device=inputs.device) // self.patch_size[0]
        columns = torch.arange(size[1], device=inputs.device) // self.patch_size[1]
        return (rows[:, None] * self._grid(*size)[1] + columns)[None, None]

    def settings(self) -> str:
        """Return the sizes, for ``repr``."""
        return f"patch_size={self.patch_size}, image_size={self.image_size}"

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        """Return the numbers of patches in a column and in a row."""
        return -(-height // self.patch_size[0]), -(-width // self.patch_size[1])

    def _like_inputs(self, attributions: Tensor) -> Tensor:
        return attributions[:, None] if attributions.ndim == 3 else attributions

    def _count(self, feature_map: Tensor) -> int:
        rows, columns = self._grid(*feature_map.shape[2:])
        return rows * columns


def _pair(name: str, size: int | tuple[int, int]) -> tuple[int, int]:
    """Return a size as height and width."""
    pair = (size, size) if isinstance(size, int) else size
    counted = isinstance(pair, tuple | list) and len(pair) == 2
    if not counted or any(isinstance(each, bool) or not isinstance(each, int) for each in pair):
        raise TypeError(
            f"{name} must be a number of pixels, or a height and a width (int, int), got {size!r}"
        )
    height, width = pair
    if height < 1 or width < 1:
        raise ValueError(f"{name} must be positive, got {size}")
    return height, width
