"""Images of MNIST and Fashion-MNIST, from files or from the hub."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pear_lightning.datamodules.idx_file import read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

DigitSet = Literal["MNIST", "FashionMNIST"]
HUB_IDS = {"MNIST": "ylecun/mnist", "FashionMNIST": "zalando-datasets/fashion_mnist"}
CLOTHES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
_PREFIXES = {"train": "train", "test": "t10k"}
# data sets of torchvision whose files have similar or the same names
_ALIKE = ("MNIST", "FashionMNIST", "EMNIST", "KMNIST", "QMNIST")


def read_digit_files(
    name: DigitSet, data_dir: str | Path
) -> "dict[str, tuple[NDArray[Any], NDArray[Any]]]":
    """Read the four idx files of a data set.

    Args:
        name: ``"MNIST"`` or ``"FashionMNIST"``, whose files have the same names.
        data_dir: Folder with ``train-images-idx3-ubyte`` and so on (or ``.gz``), or a folder above
            it, such as the ``root`` of torchvision; its subfolders ``<name>/raw``, ``<name>`` and
            ``raw`` are searched.

    Returns:
        For ``"train"`` and ``"test"``: images ``(N, 28, 28)`` and labels ``(N,)``, uint8.

    Raises:
        FileNotFoundError: If a file is in none of these folders.
        ValueError: If the numbers of images and labels differ, or the files are in a folder named
            after another data set.
    """
    root = Path(data_dir).expanduser()
    # folders with the name of the set first, because root may hold another data set
    folders = [root / name / "raw", root / name, root / "raw", root]
    splits = {}
    for split, prefix in _PREFIXES.items():
        images, labels = (
            read_idx(_of_the_set(name, _find(folders, f"{prefix}-{part}-ubyte")))
            for part in ("images-idx3", "labels-idx1")
        )
        if len(images) != len(labels):
            raise ValueError(
                f"{split} files of {name} must have one label per image, got {len(images)} images "
                f"and {len(labels)} labels"
            )
        splits[split] = images, labels
    return splits


def read_digit_hub(
    name: DigitSet, revision: str | None = None, cache_dir: str | None = None
) -> "dict[str, tuple[NDArray[Any], NDArray[Any]]]":
    """Read a data set from the hub with ``datasets``; see :func:`read_digit_files`.

    Args:
        name: ``"MNIST"`` or ``"FashionMNIST"``.
        revision: Branch, tag or commit on the hub.
        cache_dir: Folder for the data. None is the default folder of ``datasets``.

    Returns:
        For ``"train"`` and ``"test"``: images ``(N, 28, 28)`` and labels ``(N,)``, uint8.
    """
    import numpy as np
    from datasets import load_dataset

    splits = load_dataset(HUB_IDS[name], revision=revision, cache_dir=cache_dir)
    return {
        split: (
            np.stack([np.asarray(image, dtype=np.uint8) for image in splits[split]["image"]]),
            np.asarray(splits[split]["label"], dtype=np.uint8),
        )
        for split in _PREFIXES
    }


def _find(folders: list[Path], name: str) -> Path:
    for path in (folder / each for folder in folders for each in (name, f"{name}.gz")):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"data_dir must hold {name} or {name}.gz, directly or in one of the folders "
        f"{', '.join(str(each.relative_to(folders[-1])) for each in folders[:-1])}, got "
        f"{str(folders[-1])!r}"
    )


def _of_the_set(name: DigitSet, path: Path) -> Path:
    """Return the path of a file; raise if its folder belongs to another data set."""
    folder = path.parent.resolve()
    if folder.name == "raw":
        folder = folder.parent
    others = {other.lower(): other for other in _ALIKE if other != name}
    other = others.get(re.sub(r"[\W_]", "", folder.name.lower()))  # fashion-mnist, Fashion_MNIST
    if other is not None:
        raise ValueError(
            f"data_dir must be the folder of {name}, or the folder above it, got {path} in the "
            f"folder of {other}, whose files have the same names"
        )
    return path
