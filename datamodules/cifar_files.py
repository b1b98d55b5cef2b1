"""Readers of the files of CIFAR-10: the archives of its authors, and arrays of NumPy."""

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Splits = dict[str, "tuple[NDArray[Any], NDArray[Any]]"]

_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_ROW = 1 + 3 * 32 * 32
# what a pickled dictionary of arrays, written by Python 2, consists of
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def read_cifar_files(data_dir: str | Path) -> Splits:
    """Read CIFAR-10 from a folder.

    Args:
        data_dir: Folder with ``cifar-10-batches-bin`` or ``cifar-10-batches-py`` (the archives of
            the authors; the latter is what torchvision unpacks), or with one file ``cifar10*.npz``
            of arrays ``X_train``, ``y_train``, ``X_test`` and ``y_test``; or one of these folders;
            or the folder above ``cifar10``.

    Returns:
        For ``"train"`` and ``"test"``: images ``(N, 32, 32, 3)`` and labels ``(N,)``, uint8.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If a file does not hold images of CIFAR-10, or holds objects of other types.
    """
    root = Path(data_dir).expanduser()
    for folder in (root, root / "cifar10"):
        for inner in (folder / "cifar-10-batches-bin", folder):
            if (inner / "data_batch_1.bin").is_file():
                return _of_batches(inner, ".bin", _read_binary)
        for inner in (folder / "cifar-10-batches-py", folder):
            if (inner / "data_batch_1").is_file():
                return _of_batches(inner, "", _read_pickle)
        archives = sorted(folder.glob("cifar10*.npz"))
        if len(archives) > 1:
            raise ValueError(
                "data_dir must hold one file cifar10*.npz, got "
                f"{[archive.name for archive in archives]}"
            )
        if archives:
            return _read_arrays(archives[0])
    raise FileNotFoundError(
        "data_dir must hold cifar-10-batches-bin, cifar-10-batches-py or a file cifar10*.npz, "
        f"directly or in the folder 'cifar10', got {str(root)!r}"
    )


def _of_batches(folder: Path, suffix: str, read: Any) -> Splits:
    import numpy as np

    batches = [read(folder / f"{name}{suffix}") for name in _BATCHES
               if (folder / f"{name}{suffix}").is_file()]  # fmt: skip
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return {"train": (images, labels), "test": read(folder / f"test_batch{suffix}")}


def _read_binary(path: Path) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Read rows of one byte of label and 3072 bytes of a red, a green and a blue image."""
    import numpy as np

    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    if not len(content) or len(content) % _ROW:
        raise ValueError(f"{path.name!r} must hold rows of {_ROW} bytes, got {len(content)} bytes")
    rows = content.reshape(-1, _ROW)
    return _as_images(rows[:, 1:]), rows[:, 0].copy()


def _read_pickle(path: Path) -> "tuple[NDArray[Any], NDArray[Any]]":
    import numpy as np

    batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    return _as_images(batch[b"data"]), np.asarray(batch[b"labels"], dtype=np.uint8)


class _ArraysOnly(pickle.Unpickler):
    """Loads arrays and plain values; a pickle of anything else could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class of arrays, or raise."""
        if (module, name) not in _ALLOWED:
            raise ValueError(
                f"files of CIFAR-10 must hold arrays and plain values, got {module}.{name}"
            )
        return super().find_class(module, name)


def _read_arrays(path: Path) -> Splits:
    import numpy as np

    with np.load(path) as arrays:
        splits = {}
        for split in ("train", "test"):
            names = (f"X_{split}", f"y_{split}")
            if missing := [name for name in names if name not in arrays]:
                raise ValueError(
                    f"{path.name!r} must hold the arrays X_train, y_train, X_test and y_test, got "
                    f"{sorted(arrays)} without {missing}"
                )
            labels = arrays[names[1]]
            column = labels.ndim == 2 and labels.shape[1] == 1  # as Keras has them
            splits[split] = arrays[names[0]], labels[:, 0] if column else labels
    for images, labels in splits.values():
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                f"{path.name!r} must hold labels (N,), integers from 0 to 9, got {labels.dtype}, "
                f"{labels.shape}"
            )
        if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
            raise ValueError(
                f"{path.name!r} must hold labels from 0 to 9, got {labels.min()} to {labels.max()}"
            )
        if images.shape != (len(labels), 32, 32, 3) or images.dtype != np.uint8:
            raise ValueError(
                f"{path.name!r} must hold images (N, 32, 32, 3) of bytes and as many labels, got "
                f"{images.dtype}, {images.shape} and {len(labels)} labels"
            )
    return splits


def _as_images(rows: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
