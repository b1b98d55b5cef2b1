"""Images of MNIST and Fashion-MNIST: from their files, or from the hub."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pear_lightning.datamodules.idx_file import read_idx

if TYPE_CHECKING:
    from numpy.typing import NDArray

DigitSet = Literal["MNIST", "FashionMNIST"]
HUB_IDS = {"MNIST": "ylecun/mnist", "FashionMNIST": "zalando-datasets/fashion_mnist"}
_PREFIXES = {"train": "train", "test": "t10k"}
# data sets of torchvision whose files have names of this kind, or the same ones
_ALIKE = ("MNIST", "FashionMNIST", "EMNIST", "KMNIST", "QMNIST")


def read_digit_files(
    name: DigitSet, data_dir: str | Path
) -> "dict[str, tuple[NDArray[Any], NDArray[Any]]]":
    """Read the four idx files of a data set.

    Args:
        name: ``"MNIST"`` or ``"FashionMNIST"``, whose files have the same names.
        data_dir: Folder with ``train-images-idx3-ubyte`` and so on (or ``.gz``), or a folder above
            it, such as the ``root`` of torchvision: ``<name>/raw``, ``<name>`` and ``raw`` in it
            are looked at.

    Returns:
        For ``"train"`` and ``"test"``: images ``(N, 28, 28)`` and labels ``(N,)``, uint8.

    Raises:
        FileNotFoundError: If a file is in none of these folders.
        ValueError: If there are not as many images as labels, or the files lie in a folder that is
            named after another data set.
    """
    root = Path(data_dir).expanduser()
    # the folder of the name first: another data set may lie beside it
    folders = [root / name / "raw", root / name, root / "raw", root]
    splits = {}
    for split, prefix in _PREFIXES.items():
        images, labels = (
            read_idx(_of_the_set(name, _find(folders, f"{prefix}-{part}-ubyte")))
            for part in ("images-idx3", "labels-idx1")
        )
        if len(images) != len(labels):
            raise ValueError(
                f"the {split} files of {name} have {len(images)} images and {len(labels)} labels"
            )
        splits[split] = images, labels
    return splits


def read_digit_hub(
    name: DigitSet, revision: str | None = None, cache_dir: str | None = None
) -> "dict[str, tuple[NDArray[Any], NDArray[Any]]]":
    """Read a data set with ``datasets``, as :func:`read_digit_files` does from files.

    Args:
        name: ``"MNIST"`` or ``"FashionMNIST"``.
        revision: Branch, tag or commit on the hub.
        cache_dir: Where it is kept. None is the default folder of ``datasets``.

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
        f"data_dir {str(folders[-1])!r} has neither {name} nor {name}.gz, and neither have its "
        f"folders {', '.join(str(each.relative_to(folders[-1])) for each in folders[:-1])}"
    )


def _of_the_set(name: DigitSet, path: Path) -> Path:
    """Return the path of a file, unless its folder belongs to a data set of another name."""
    folder = path.parent.resolve()
    if folder.name == "raw":
        folder = folder.parent
    others = {other.lower(): other for other in _ALIKE if other != name}
    other = others.get(re.sub(r"[\W_]", "", folder.name.lower()))  # fashion-mnist, Fashion_MNIST
    if other is not None:
        raise ValueError(
            f"{name} is to be read, and {path} lies in the folder of {other}, whose files have the "
            f"same names; give data_dir the folder of {name}, or the one above it"
        )
    return path
