"""Which kind of picture shows the attributions of a batch."""

from typing import Literal, get_args

from pear_lightning.masking import ColumnMasker, Masker, PatchMasker, SegmentMasker, TokenMasker
from pear_lightning.scoring.batch import Batch

Kind = Literal["image", "tokens", "columns"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def picture_kind(batch: Batch, masker: Masker | None) -> Kind:
    """Return the kind of picture that fits a masker, or the inputs if the masker does not tell.

    Args:
        batch: The samples.
        masker: Defines the features; ``None`` for single elements.

    Raises:
        ValueError: If neither tells.

    Example:
        >>> import torch
        >>> [picture_kind(Batch(torch.rand(2, *shape)), None) for shape in ((5,), (3, 8, 8))]
        ['columns', 'image']
    """
    if isinstance(masker, TokenMasker):
        return "tokens"
    if isinstance(masker, PatchMasker | SegmentMasker):
        return "image"
    if isinstance(masker, ColumnMasker):
        return "columns"
    inputs = batch.inputs
    if "input_ids" in batch.sample_data or not inputs.is_floating_point():
        return "tokens"
    if inputs.ndim == 4:
        return "image"
    if inputs.ndim == 2:
        return "columns"
    raise ValueError(
        f"kind must be given for inputs {tuple(inputs.shape)}, which are neither images "
        f"(B, C, H, W) nor rows (B, n) nor token ids, got None; give one of {KINDS}"
    )
