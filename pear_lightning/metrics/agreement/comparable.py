"""Samples whose explanations can be compared."""

from torch import Tensor

from pear_lightning.functional.present_features import check_present


def comparable(saliency: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Leave out samples with fewer than two features, which have no ranking.

    All explanations of such a sample, a text of one word, say, agree whatever they are. Without
    ``present`` all samples have n features, and none is left out.

    Args:
        saliency: ``(E, B, n)``.
        present: ``(B, n)`` bool, the features that a sample has; None for all.

    Returns:
        The saliency and the features of the other samples, None if these have all features.

    Raises:
        TypeError: if ``present`` is not bool.
        ValueError: if its shape is another, or a sample has no feature.

    Example:
        >>> import torch
        >>> present = torch.tensor([[True, True], [True, False]])
        >>> comparable(torch.ones(1, 2, 2), present)
        (tensor([[[1., 1.]]]), None)
    """
    if present is None:
        return saliency, None
    check_present("attributions", saliency[0], present)
    several = present.sum(dim=-1) > 1
    if not bool(several.all()):
        saliency, present = saliency[:, several], present[several]
    return saliency, None if bool(present.all()) else present
