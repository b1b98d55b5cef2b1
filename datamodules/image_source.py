"""Sources of images with labels: folders of classes, or data sets of ``datasets``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pear_lightning.datamodules.hub_splits import load_hub_splits, splits_among

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


class LabelledImages(NamedTuple):
    """Images of a split, and their classes.

    Attributes:
        images: A tensor of bytes, ``(N, H, W)`` or ``(N, H, W, C)``, or a sequence of paths, PIL
            images or arrays.
        target: Classes, ``(N,)`` long.
        mask: Annotations, ``(N, H, W)`` bool, or ``None``.
    """

    images: Any
    target: Tensor
    mask: Tensor | None = None


def read_image_folder(
    root: str | Path, class_names: Sequence[str] | None = None
) -> tuple[dict[str, LabelledImages], list[str]]:
    """Find the images of ``root/<split>/<class>/<file>``, or of ``root/<class>/<file>``.

    Args:
        root: The folder. Folders of splits are ``train`` (or ``training``), ``val`` (or ``valid``,
            ``validation``, ``dev``) and ``test`` (or ``testing``), in upper or lower case. Images
            may lie in folders below that of their class. Files and folders whose names begin with
            a dot are skipped, and so is ``__MACOSX``.
        class_names: Names of the folders of the classes, in the order of the labels. ``None`` takes
            those of the training images, sorted.

    Returns:
        Paths and classes of each split, and the names of the classes; all images are training
        images if there are no folders of splits.

    Raises:
        FileNotFoundError: If there is no such folder, or it holds no training images.
        ValueError: If a split has a class that is not among the classes.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(
            f"data_dir must be a folder of images, got {str(root)!r} (working directory: "
            f"{str(Path.cwd())!r})"
        )
    named = splits_among(each.name for each in root.iterdir() if each.is_dir())
    folders = {split: root / name for split, name in named.items()}
    if "train" not in folders:
        folders = {"train": root}
    found = {split: _images_in(folder) for split, folder in folders.items()}
    names = sorted({name for name, _ in found["train"]})
    if not names:
        raise FileNotFoundError(
            "data_dir must hold images in a folder for each class, <class>/<file> or "
            f"train/<class>/<file>, got {str(root)!r} without any; known files are "
            f"{', '.join(_SUFFIXES)}"
        )
    names = names if class_names is None else list(class_names)
    splits = {}
    for split, images in found.items():
        if unknown := sorted({name for name, _ in images} - set(names)):
            raise ValueError(
                f"{split} images must have the classes {names}, got folders {unknown} in addition"
            )
        target = torch.tensor([names.index(name) for name, _ in images], dtype=torch.long)
        splits[split] = LabelledImages([path for _, path in images], target)
    return splits, names


def read_image_hub(
    hub_id: str,
    config: str | None = None,
    *,
    image: str = "image",
    target: str = "label",
    class_names: Sequence[str] | None = None,
    **kwargs: Any,
) -> tuple[dict[str, LabelledImages], list[str]]:
    """Read images with ``datasets.load_dataset``: from the hub, or from local files.

    Args:
        hub_id: Name on the hub, a local folder, or a format such as ``"imagefolder"`` or
            ``"parquet"``, in combination with ``data_files``.
        config: Name of the configuration.
        image: Name of the column of images.
        target: Name of the column of labels.
        class_names: Names of the classes in the order of the labels. ``None`` takes those of the
            data set, or the sorted labels.
        **kwargs: Other arguments of ``load_dataset``: ``data_files``, ``revision``, ``cache_dir``.

    Returns:
        Images, which are decoded when they are used, and classes of each split; and the names of
        the classes.

    Raises:
        ValueError: If there is no training split, a column is missing, or a label is not among the
            classes.
    """
    rows = load_hub_splits(hub_id, config, **kwargs)
    for column in (image, target):
        if column not in rows["train"].column_names:
            raise ValueError(
                f"image_column and target_column must be columns of {hub_id!r}, "
                f"{rows['train'].column_names}, got {column!r}"
            )
    values = {split: list(each[target]) for split, each in rows.items()}
    feature = rows["train"].features[target]
    labels = sorted(set(values["train"]))
    known = getattr(feature, "names", None)
    if known is not None:
        labels = list(range(len(known)))
    names = [str(each) for each in (class_names or known or labels)]
    if len(names) != len(labels):
        raise ValueError(f"class_names must have one name for each of {labels}, got {names}")
    numbers = {label: number for number, label in enumerate(labels)}
    splits = {}
    for split, each in values.items():
        if unknown := sorted(set(each) - numbers.keys()):
            if split == "test" and unknown == [-1]:
                continue  # the labels of the test rows are kept back
            raise ValueError(f"{split} labels must be among {labels}, got {unknown} in addition")
        classes = torch.tensor([numbers[label] for label in each], dtype=torch.long)
        splits[split] = LabelledImages(rows[split][image], classes)
    return splits, names


def _images_in(folder: Path) -> list[tuple[str, str]]:
    """Return class and path of each image, in the order of the paths."""
    images = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() in _SUFFIXES and len(parts) > 1 and not any(map(_is_hidden, parts)):
            images.append((parts[0], str(path)))
    return images


def _is_hidden(name: str) -> bool:
    """Return whether a system or an editor made a file or folder, such as thumbnails."""
    return name.startswith(".") or name == "__MACOSX"
