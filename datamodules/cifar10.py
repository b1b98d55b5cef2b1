"""CIFAR-10: photographs of ten kinds of objects, with or without blocks that reveal the class."""

import colorsys
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.datamodules.cifar_files import read_cifar_files
from pear_lightning.datamodules.decoy_masks import corner_blocks
from pear_lightning.datamodules.image_classification import ImageClassification
from pear_lightning.datamodules.image_source import LabelledImages, read_image_hub

HUB_ID = "uoft-cs/cifar10"
_SIZE = 32
_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# one hue for each class
_COLORS = [colorsys.hsv_to_rgb(number / 10, 1.0, 1.0) for number in range(10)]


class CIFAR10(ImageClassification):
    """CIFAR-10: 50,000 training and 10,000 test photographs of 32 x 32 pixels, ten classes.

    With ``decoy``, every image has a coloured block in a random corner. The colour of a training
    image is that of its class, so a model needs no other pixels; in test images, it is that of a
    random class. The mask marks the block. This is the construction of Decoy MNIST (Ross et al.,
    2017) on photographs, a setting of this library for training with annotations.

    Shapes:
        - ``inputs``: ``(B, 3, 32, 32)`` float32, or as requested
        - ``target``: ``(B,)`` long, ten classes
        - ``mask``, with ``decoy``: ``(B, H, W)`` bool, true = must not matter

    Args:
        data_dir: Folder with ``cifar-10-batches-bin`` or ``cifar-10-batches-py`` (the archives of
            the authors; the latter is what torchvision unpacks), or with a file ``cifar10*.npz`` of
            arrays ``X_train``, ``y_train``, ``X_test`` and ``y_test``, or the folder above
            ``cifar10``. None reads from the hub (``uoft-cs/cifar10``).
        decoy: Whether images have blocks, and batches masks.
        block_size: Height and width of a block in pixels.
        kwargs: Other arguments of :class:`ImageClassification`, except those that name a source.
            Without ``mean`` and ``std``, they are those of the training images.

    Raises:
        FileNotFoundError: If the files are not in ``data_dir``.
        ValueError: If a block does not fit, or a file does not hold images of CIFAR-10.

    Example:
        >>> CIFAR10("some/folder", flip=True, padding=4).class_names[0]
        'airplane'

    References:
        A. Krizhevsky. *Learning multiple layers of features from tiny images.* 2009.
    """

    default_statistics: ClassVar[Any] = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))

    def __init__(
        self,
        data_dir: str | None = None,
        decoy: bool = False,
        block_size: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_dir, **kwargs)
        self._refuse_source()
        if not 1 <= block_size <= _SIZE // 2:
            raise ValueError(f"block_size must lie in [1, {_SIZE // 2}] pixels, got {block_size}")
        self.decoy = decoy
        self.block_size = block_size
        self.name_classes(self.class_names or _NAMES)
        if len(self.class_names) != len(_NAMES):
            raise ValueError(
                f"class_names must have one name for each of ten classes, got {self.class_names}"
            )

    @override
    def prepare_data(self) -> None:
        if self.data_dir is None:
            self.load_images()  # fills the cache for the other processes

    @override
    def load_images(self) -> dict[str, LabelledImages]:
        splits = self._read()
        if not self.decoy:
            return splits
        return {
            split: self._with_blocks(split, each, stream)
            for stream, (split, each) in enumerate(splits.items())
        }

    def _read(self) -> dict[str, LabelledImages]:
        import numpy as np

        if self.data_dir is not None:
            return {
                split: LabelledImages(torch.from_numpy(images), torch.from_numpy(labels).long())
                for split, (images, labels) in read_cifar_files(self.data_dir).items()
            }
        try:
            splits, _ = read_image_hub(
                HUB_ID, image="img", revision=self.revision, cache_dir=self.cache_dir
            )
        except Exception as error:
            error.add_note("CIFAR10 can also read files: give data_dir")
            raise
        return {
            split: LabelledImages(
                torch.from_numpy(np.stack([np.asarray(image) for image in each.images])),
                each.target,
            )
            for split, each in splits.items()
        }

    def _with_blocks(self, split: str, rows: LabelledImages, stream: int) -> LabelledImages:
        import numpy as np

        rng = np.random.default_rng([self.seed, stream])
        ends = torch.from_numpy(rng.integers(2, size=(len(rows.target), 2)) == 1)
        drawn = torch.from_numpy(rng.integers(10, size=len(rows.target)))
        mask = corner_blocks(ends, _SIZE, self.block_size)
        colors = _bytes(torch.tensor(_COLORS))[drawn if split == "test" else rows.target]
        images = torch.where(mask[..., None], colors[:, None, None, :], rows.images)
        return LabelledImages(images, rows.target, mask)


def _bytes(values: Tensor) -> Tensor:
    return (values * 255).round().to(torch.uint8)
