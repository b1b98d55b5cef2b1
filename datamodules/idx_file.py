"""The idx files that MNIST and its relatives come in."""

import gzip
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UINT8 = 8


def read_idx(path: str | Path) -> "NDArray[Any]":
    """Read an idx file of bytes, compressed (``.gz``) or not.

    The header is two zero bytes, one for the type, one for the number of dimensions, and each
    dimension as a big-endian 32-bit number.

    Args:
        path: The file.

    Returns:
        uint8, in the shape that the header says.

    Raises:
        ValueError: If it is no idx file of bytes, or not as long as its header says.

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
            f"{path.name!r} begins with {content[:3].hex(' ')}: an idx file of bytes begins with "
            "00 00 08"
        )
    header = 4 + 4 * content[3]
    shape = tuple(int(n) for n in np.frombuffer(content[4:header], dtype=">u4"))
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path.name!r} holds {len(content) - header} values: its header says {shape}"
        )
    # a copy: frombuffer gives a read-only view, which torch warns of
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()
