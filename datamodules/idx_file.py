"""Reader of idx files, the format of MNIST and similar data sets."""

import gzip
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UINT8 = 8


def read_idx(path: str | Path) -> "NDArray[Any]":
    """Read an idx file of bytes, compressed (``.gz``) or not.

    The header consists of two zero bytes, one byte for the type, one byte for the number of
    dimensions, and one big-endian 32-bit number per dimension.

    Args:
        path: The file.

    Returns:
        uint8, in the shape given by the header.

    Raises:
        ValueError: If the file is not an idx file of bytes, or its length differs from the header.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        ...     read_idx(path)
        array([7, 8, 9], dtype=uint8)
    """
    import numpy as np

    path = Path(path)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if content[:3] != bytes([0, 0, _UINT8]):
        raise ValueError(
            f"{path.name!r} must begin with 00 00 08, as idx files of bytes do, got "
            f"{content[:3].hex(' ')}"
        )
    header = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content[4:header], dtype=">u4"))
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path.name!r} must hold values of shape {shape}, as its header says, got "
            f"{len(content) - header} values"
        )
    # a copy, because torch warns of the read-only view of frombuffer
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()
