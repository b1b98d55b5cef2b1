"""Images of MNIST and Fashion-MNIST as a network takes them."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pear_lightning.datamodules.digit_images import read_digit_files


def digit_images(
    name: Literal["MNIST", "FashionMNIST"], folder: Path
) -> dict[str, tuple[Tensor, Tensor]]:
    """Read a data set.

    Args:
        name: Name of the data set.
        folder: Folder that holds ``<name>/raw``.

    Returns:
        For ``"train"`` and ``"test"``: images ``(N, 1, 28, 28)`` in [0, 1] and labels ``(N,)``.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    return {
        part: (
            torch.from_numpy(images)[:, None].float() / 255,
            torch.from_numpy(labels).long(),
        )
        for part, (images, labels) in read_digit_files(name, folder).items()
    }
