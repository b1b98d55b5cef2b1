"""The rows of a data module, as tensors."""

from typing import Any, Literal

from torch import Tensor


def table_rows(data: Any, part: Literal["train", "val", "test"]) -> tuple[Tensor, Tensor]:
    """Return all rows of a part in the order of the file, and their target.

    Args:
        data: A data module that has been set up.
        part: Which part.
    """
    loader = getattr(data, f"{part}_dataloader")()
    return loader.dataset.inputs, loader.dataset.target
