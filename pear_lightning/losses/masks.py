"""Annotation masks, which mark the features that an explanation loss is about."""

import torch
from torch import Tensor

from pear_lightning.functional.regions import aligned_region, shape_hint, zeros_and_ones
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch


def aligned_mask(mask: Tensor, inputs: Tensor) -> Tensor:
    """Return a checked mask with the dimensions of the inputs.

    Args:
        mask: Annotations, bool or zeros and ones: ``(B, *S)``, size 1 in dimensions where one value
            stands for all, including the first; ``(B, H, W)`` for images ``(B, C, H, W)``, or
            ``(B, L)`` for embeddings ``(B, L, D)`` of tokens if L and D differ.
        inputs: Inputs, ``(B, *S)``.

    Returns:
        Bool mask that broadcasts to ``(B, *S)``.

    Raises:
        ValueError: If the shape does not fit, or a value is neither 0 nor 1.

    Example:
        >>> import torch
        >>> aligned_mask(torch.zeros(2, 8, 8), torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """
    aligned = aligned_region(mask, inputs)
    if aligned is None:
        raise ValueError(
            f"mask must have the shape of the inputs, {tuple(inputs.shape)}, with size 1 in "
            f"broadcast dimensions such as channels, got {tuple(mask.shape)}"
            f"{shape_hint('mask', mask, inputs)}"
        )
    return zeros_and_ones(aligned, "mask")


def element_mask(batch: Batch, masker: Masker | None = None) -> Tensor | None:
    """Return a batch's mask as a checked mask of the elements of its inputs.

    Args:
        batch: The batch. Its mask has any shape that :func:`aligned_mask` takes, or, with a masker,
            ``(B, n)`` or ``(1, n)``, which marks features, whatever the shape of the inputs is.
        masker: Defines the features of such a mask; ``None`` means that there is none.

    Returns:
        The mask as returned by :func:`aligned_mask`; ``None`` if the batch has no mask.

    Raises:
        ValueError: If the mask fits neither the features nor the inputs, or a value is neither 0
            nor 1.

    Example:
        >>> from pear_lightning.masking import PatchMasker
        >>> marked = Batch(torch.rand(2, 1, 4, 4), mask=torch.tensor([[1, 0, 0, 0]] * 2))
        >>> element_mask(marked, PatchMasker(2))[0, 0].int().tolist()
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    if batch.mask is None or batch.marks_elements:
        return batch.mask
    if masker is None:
        return aligned_mask(batch.mask, batch.inputs)
    batch.check_finite()
    bound = masker.bind(batch.inputs, batch.sample_data, validate=False)
    if batch.mask.shape not in ((len(batch), bound.n_features), (1, bound.n_features)):
        aligned = aligned_region(batch.mask, batch.inputs)
        if aligned is None:
            raise ValueError(
                f"mask must have one column for each of the masker's features, "
                f"({len(batch)}, {bound.n_features}), or the shape of the inputs, "
                f"{tuple(batch.inputs.shape)}, got {tuple(batch.mask.shape)}"
            )
        return zeros_and_ones(aligned, "mask")
    marked = zeros_and_ones(batch.mask, "mask").float()
    return bound.spread(marked.expand(len(batch), -1)) > 0


def annotated_rows(mask: Tensor) -> Tensor:
    """Return which rows mark any feature, ``(B,)`` bool.

    Args:
        mask: ``(B, ...)``, bool.

    Example:
        >>> import torch
        >>> annotated_rows(torch.tensor([[True, False], [False, False]]))
        tensor([ True, False])
    """
    return marked_features(mask) > 0


def marked_features(mask: Tensor) -> Tensor:
    """Return the number of features that each row marks, ``(B,)`` int32.

    Args:
        mask: ``(B, ...)``, bool or zeros and ones.

    Example:
        >>> marked_features(torch.tensor([[True, False, True], [False, False, False]]))
        tensor([2, 0], dtype=torch.int32)
    """
    # faster than any() and all() of rows, and than a sum in 64 bits
    return mask.flatten(1).sum(dim=1, dtype=torch.int32)


def as_masked(attributions: Tensor, mask: Tensor) -> Tensor:
    """Return attributions summed over the broadcast dimensions of a mask, in the mask's shape.

    Args:
        attributions: ``(B, *S)``.
        mask: As returned by :func:`aligned_mask`.

    Example:
        >>> import torch
        >>> as_masked(torch.ones(2, 3, 8, 8), torch.ones(2, 1, 8, 8)).unique()
        tensor([3.])
    """
    return attributions.sum_to_size(mask.shape)


def largest_components(attributions: Tensor, cutoff: float = 0.67) -> Tensor:
    r"""Return where attributions are large relative to the largest one of the same sample.

    .. math:: M_c(a)_d = 1 \;\; \text{if} \;\; |a_d| > c \, \max_j |a_j|

    Args:
        attributions: ``(B, *S)``.
        cutoff: c in [0, 1).

    Returns:
        Bool mask ``(B, *S)``; all False for a row of zeros.

    Example:
        >>> import torch
        >>> largest_components(torch.tensor([[3.0, -2.5, 2.0], [0.0, 0.0, 0.0]]))
        tensor([[ True,  True, False],
                [False, False, False]])

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons*, IJCAI 2017, arXiv 1703.03717.
    """
    if not 0 <= cutoff < 1:
        raise ValueError(f"cutoff must lie in [0, 1), got {cutoff}")
    size = attributions.abs().flatten(1)
    return (size > cutoff * size.amax(dim=1, keepdim=True)).view(attributions.shape)
