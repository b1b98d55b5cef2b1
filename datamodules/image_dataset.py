"""Images with labels, decoded and transformed a whole batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pear_lightning.datamodules.image_pixels import pixels_of, with_channels
from pear_lightning.datamodules.image_transform import ImageTransform, random_changes


@dataclass(frozen=True, eq=False)
class ImageDataset(Dataset[tuple[Tensor, ...]]):
    """Images with labels, decoded and transformed a whole batch at a time.

    Args:
        images: Images of all samples: a tensor of bytes, ``(N, H, W)`` or ``(N, H, W, C)``, or a
            sequence of paths, PIL images or arrays of bytes.
        target: Classes, ``(N,)`` long.
        transform: Transform of the images.
        mask: Annotations, ``(N, H, W)`` bool; ``None`` for batches without a mask.
        flip: Whether to mirror images at random; see
            :func:`~pear_lightning.datamodules.image_transform.random_changes`.
        padding: Largest random shift of images in pixels.
        index: Samples of this data set among the images, ``(M,)`` long; ``None`` for all.

    Shapes:
        - ``inputs``: ``(B, C, H, W)`` float32
        - ``target``: ``(B,)`` long
        - ``mask``: ``(B, H, W)`` bool, if there are annotations

    Raises:
        ValueError: If the numbers of images, labels and masks differ.

    Example:
        >>> images = torch.zeros(3, 5, 5, dtype=torch.uint8)
        >>> rows = ImageDataset(images, torch.tensor([0, 1, 1]), ImageTransform(1, (4, 4)))
        >>> inputs, target = rows.__getitems__([2, 0])
        >>> inputs.shape, target, len(rows.subset([1]))
        (torch.Size([2, 1, 4, 4]), tensor([1, 0]), 1)
    """

    images: Any
    target: Tensor
    transform: ImageTransform
    mask: Tensor | None = None
    flip: bool = False
    padding: int = 0
    index: Tensor | None = None

    def __post_init__(self) -> None:
        """Check the numbers of samples."""
        masks = len(self.images) if self.mask is None else len(self.mask)
        if not len(self.images) == len(self.target) == masks:
            raise ValueError(
                f"target and mask must have as many rows as images, {len(self.images)}, got "
                f"{len(self.target)} and {masks}"
            )

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.target) if self.index is None else len(self.index)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Return one sample: ``(C, H, W)``, a scalar and, with annotations, ``(H, W)``."""
        return tuple(each[0] for each in self.__getitems__([index]))

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        """Return a batch of samples."""
        at = torch.tensor(indices) if self.index is None else self.index[indices]
        inputs, target = self._transformed(at), self.target[at]
        if self.mask is None:
            return random_changes(inputs, flip=self.flip, padding=self.padding), target
        mask = self.transform.of_mask(self.mask[at])
        both = torch.cat([inputs, mask[:, None]], dim=1)
        both = random_changes(both, flip=self.flip, padding=self.padding)
        return both[:, :-1], target, both[:, -1] > 0

    def _transformed(self, at: Tensor) -> Tensor:
        channels = self.transform.channels
        if isinstance(self.images, Tensor):
            pixels = self.images[at]
            pixels = pixels[:, None] if pixels.ndim == 3 else pixels.movedim(3, 1)
            return self.transform(with_channels(pixels, channels))
        images = [pixels_of(self.images[number], channels) for number in at.tolist()]
        if len({each.shape for each in images}) == 1:
            return self.transform(torch.stack(images))
        inputs = [self.transform(each[None]) for each in images]
        if len({each.shape for each in inputs}) > 1:
            shapes = sorted({tuple(each.shape[2:]) for each in inputs})
            raise ValueError(
                f"image_size must be given for images of different sizes, got None and {shapes}"
            )
        return torch.cat(inputs)

    def subset(self, indices: Sequence[int]) -> "ImageDataset":
        """Return a data set of some of the samples.

        Args:
            indices: Indices of the samples.
        """
        chosen = torch.as_tensor(indices, dtype=torch.long)
        return replace(self, index=chosen if self.index is None else self.index[chosen])

    def changed_at_random(self, *, flip: bool, padding: int) -> "ImageDataset":
        """Return a data set that changes the same samples at random.

        Args:
            flip: Whether to mirror images.
            padding: Largest shift in pixels.
        """
        return replace(self, flip=flip, padding=padding)

    @property
    def labels(self) -> Tensor:
        """Classes of all samples, ``(N,)`` long."""
        return self.target if self.index is None else self.target[self.index]
