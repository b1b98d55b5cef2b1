"""Decoy digits: the small digits of scikit-learn, with a block that reveals the class."""

from typing import Any, ClassVar

import torch
from typing_extensions import override

from pear_lightning.datamodules.annotated import AnnotatedDataModule
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset

_N_TRAIN = 1300
_SIZE = 8
_BLOCK = 2


class DecoyDigits(AnnotatedDataModule):
    """Decoy digits: 8 x 8 digits with a grey block in a corner that reveals the class.

    A substitute for Decoy MNIST that needs no download: the 1,797 digits of scikit-learn, with
    values 0 to 1. In each image, the 2 x 2 block in a random corner is set to 1 − 0.1 · digit. In
    test images, the digit in that formula is random too, so the block carries no information. The
    mask marks the block of the image. 1,300 images are for training and 497 for testing, drawn with
    the seed.

    Shapes:
        - ``inputs``: ``(B, 64)`` float32, 0 to 1; ``(B, 1, 8, 8)`` with ``flat=False``
        - ``target``: ``(B,)`` long, ten classes
        - ``mask``: shaped like the inputs, 4 true entries per row

    Args:
        decoy: Whether images have blocks; without blocks the masks are empty.
        flat: Whether an image is a row of 64 values.
        seed: Seed of the split and of the blocks.
        kwargs: Other arguments of
            :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Raises:
        ValueError: As :class:`~pear_lightning.datamodules.annotated.AnnotatedDataModule`.

    Example:
        >>> data = DecoyDigits(flat=False)
        >>> data.setup()
        >>> data.splits, data.input_shape
        ({'train': 1300, 'test': 497}, (1, 8, 8))
        >>> inputs, target, mask = data.rows("train")[0]
        >>> bool((inputs[mask] == 1 - 0.1 * target).all())
        True
    """

    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")
    marked_by: ClassVar[str] = "decoy"

    def __init__(self, decoy: bool = True, flat: bool = True, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.decoy = decoy
        self.flat = flat

    @override
    def load_rows(self) -> dict[str, AnnotatedDataset]:
        import numpy as np
        from sklearn.datasets import load_digits

        digits = load_digits()
        rng = np.random.RandomState(self.seed)
        order = rng.permutation(len(digits.target))
        images = torch.from_numpy(digits.images[order]).float()[:, None] / 16
        target = torch.from_numpy(digits.target[order]).long()
        mask = torch.zeros_like(images, dtype=torch.bool)
        for i in range(len(target) if self.decoy else 0):
            shown = int(target[i]) if i < _N_TRAIN else rng.randint(10)
            row, column = ((_SIZE - _BLOCK) * rng.randint(2) for _ in range(2))
            mask[i, :, row : row + _BLOCK, column : column + _BLOCK] = True
            images[i][mask[i]] = 1 - 0.1 * shown
        if self.flat:
            images, mask = images.flatten(1), mask.flatten(1)
        return {
            "train": AnnotatedDataset(images[:_N_TRAIN], target[:_N_TRAIN], mask[:_N_TRAIN]),
            "test": AnnotatedDataset(images[_N_TRAIN:], target[_N_TRAIN:], mask[_N_TRAIN:]),
        }
