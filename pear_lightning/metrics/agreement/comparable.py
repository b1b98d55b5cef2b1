"""Samples whose explanations can be compared."""

import torch
from torch import Tensor

from pear_lightning.functional.present_features import check_present

DEFAULT_TOP_K = 5


def comparable(
    saliency: Tensor, present: Tensor | None, k: int | float | None
) -> tuple[Tensor, Tensor | None]:
    """Leave out samples with fewer than two features, which have no ranking.

    All explanations of such a sample, a text of one word, say, agree whatever they are. Without
    ``present`` all samples have n features, and none is left out.

    Args:
        saliency: ``(E, B, n)``.
        present: ``(B, n)`` bool, the features that a sample has; None for all.
        k: size of the top k; a sample with fewer features has all of them in it.

    Returns:
        The saliency and the features of the other samples, None if these have all n features, and n
        is at least k.

    Raises:
        TypeError: if ``present`` is not bool.
        ValueError: if its shape is another, or a sample has no feature.

    Example:
        >>> import torch
        >>> present = torch.tensor([[True, True], [True, False]])
        >>> comparable(torch.ones(1, 2, 2), present, 1)
        (tensor([[[1., 1.]]]), None)
    """
    if present is None:
        return saliency, None
    check_present("attributions", saliency[0], present)
    several = present.sum(dim=-1) > 1
    if not bool(several.all()):
        saliency, present = saliency[:, several], present[several]
    enough = not isinstance(k, int) or saliency.shape[-1] >= k
    return saliency, None if enough and bool(present.all()) else present


def all_present(saliency: Tensor) -> Tensor | None:
    """Return that a sample has every feature, so that a top k is at most all of them.

    Args:
        saliency: ``(B, *S)``.

    Returns:
        ``(B, n)`` bool; None for a single feature, which has no ranking.

    Example:
        >>> all_present(torch.ones(1, 3)), all_present(torch.ones(2, 1))
        (tensor([[True, True, True]]), None)
    """
    flat = saliency.flatten(1)
    return None if flat.shape[1] < 2 else torch.ones_like(flat, dtype=torch.bool)
