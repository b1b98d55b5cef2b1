"""How much of an explanation lies inside a marked region.

Each function takes attributions ``(B, *S)`` and a region (bool, or zeros and ones) that marks some
features of each sample. The region has the shape of the attributions, with size 1 in dimensions
that share one value, or ``(B, H, W)`` for images ``(B, C, H, W)``; attributions are first summed
over these dimensions, such as channels. The value of a sample is undefined if its region is empty
(the sample is not annotated), or if its attributions point nowhere: all are 0 for a share of the
absolute attribution, none is positive for a share of the positive attribution, all are equal for
the pointing game and relevance rank accuracy.
"""

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.regions import region_rows, scaled_rows


@torch.no_grad()
def attribution_share(attributions: Tensor, mask: Tensor) -> PerSample:
    r"""Share of the absolute attribution that lies inside a mask.

    .. math:: \frac{\sum_i A_i |φ_i|}{\sum_i |φ_i|}

    Args:
        attributions: ``(B, *S)`` floating.
        mask: ``(B, *S)``, or size 1 in dimensions that share one value.

    Returns:
        Values ``(B,)`` in [0, 1]; 0 and undefined where the mask is empty or all attributions are
        0.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a mask that is not binary, or NaN or infinite
            values.

    Example:
        >>> attribution_share(torch.tensor([[3.0, -1.0]]), torch.tensor([[False, True]])).values
        tensor([0.2500])
    """
    values, marked = region_rows(attributions, mask, "mask")
    return _share(scaled_rows(values).abs(), marked)


@torch.no_grad()
def relevance_mass_accuracy(attributions: Tensor, region: Tensor) -> PerSample:
    r"""Share of the positive attribution that lies inside the region of the evidence.

    .. math:: \frac{\sum_i H_i \max(φ_i, 0)}{\sum_i \max(φ_i, 0)}

    Args:
        attributions: ``(B, *S)`` floating.
        region: ``(B, *S)``, or size 1 in dimensions that share one value; true = evidence.

    Returns:
        Values ``(B,)`` in [0, 1]; 0 and undefined where the region is empty or no attribution is
        positive.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a region that is not binary, or NaN or infinite
            values.

    Example:
        >>> region = torch.tensor([[True, False, False]])
        >>> relevance_mass_accuracy(torch.tensor([[3.0, 1.0, -2.0]]), region).values
        tensor([0.7500])

    References:
        Arras, Osman, Samek, *CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
        neural network explanations*, Information Fusion 81, 2022.
    """
    values, marked = region_rows(attributions, region)
    return _share(scaled_rows(values).clamp(min=0), marked)


@torch.no_grad()
def pointing_game(attributions: Tensor, region: Tensor) -> PerSample:
    """Whether the largest attribution lies inside the region of the evidence: 1 or 0.

    If several features tie for the largest, the value is the share of them inside the region.

    Args:
        attributions: ``(B, *S)`` floating.
        region: ``(B, *S)``, or size 1 in dimensions that share one value; true = evidence.

    Returns:
        Values ``(B,)`` in [0, 1]; 0 and undefined where the region is empty or all attributions
        are equal.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a region that is not binary, or NaN or infinite
            values.

    Example:
        >>> region = torch.tensor([[True, False, False]]).expand(2, 3)
        >>> pointing_game(torch.tensor([[3.0, 1.0, -9.0], [3.0, 3.0, 0.0]]), region).values
        tensor([1.0000, 0.5000])

    References:
        Zhang, Bargal, Lin, Brandt, Shen, Sclaroff, *Top-down Neural Attention by Excitation
        Backprop*, IJCV 126, 2018. The paper also counts a hit within 15 pixels of the region.
    """
    values, marked = region_rows(attributions, region)
    largest = values == values.amax(dim=1, keepdim=True)
    hits = (largest & marked).sum(dim=1) / largest.sum(dim=1)
    return _where_defined(hits.to(values.dtype), _looks_nowhere(values) | ~marked.any(dim=1))


@torch.no_grad()
def relevance_rank_accuracy(attributions: Tensor, region: Tensor) -> PerSample:
    r"""Share of the K largest attributions that lie inside the region, where K is its size.

    .. math:: \frac{|\mathrm{top}_K(φ) ∩ H|}{K}, \qquad K = |H|

    Features that tie at the edge of the top K share the remaining places.

    Args:
        attributions: ``(B, *S)`` floating.
        region: ``(B, *S)``, or size 1 in dimensions that share one value; true = evidence.

    Returns:
        Values ``(B,)`` in [0, 1]; 0 and undefined where the region is empty or all attributions
        are equal.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a region that is not binary, or NaN or infinite
            values.

    Example:
        >>> region = torch.tensor([[True, True, False, False]])
        >>> relevance_rank_accuracy(torch.tensor([[3.0, 1.0, 2.0, -5.0]]), region).values
        tensor([0.5000])

    References:
        Arras, Osman, Samek, *CLEVR-XAI: a benchmark dataset for the ground truth evaluation of
        neural network explanations*, Information Fusion 81, 2022.
    """
    values, marked = region_rows(attributions, region)
    size = marked.sum(dim=1, keepdim=True)
    ordered = values.sort(dim=1, descending=True).values
    edge = ordered.gather(1, (size - 1).clamp(min=0))
    above, tied = values > edge, values == edge
    places = (size - above.sum(dim=1, keepdim=True)) / tied.sum(dim=1, keepdim=True)
    inside = (above & marked).sum(dim=1) + places[:, 0] * (tied & marked).sum(dim=1)
    accuracy = (inside / size[:, 0].clamp(min=1)).to(values.dtype)
    return _where_defined(accuracy, _looks_nowhere(values) | (size[:, 0] == 0))


def _share(weights: Tensor, marked: Tensor) -> PerSample:
    """Return the share of non-negative weights that is marked."""
    total = weights.sum(dim=1)
    share = (weights * marked).sum(dim=1) / total.masked_fill(total == 0, 1)
    return _where_defined(share, (total == 0) | ~marked.any(dim=1))


def _looks_nowhere(values: Tensor) -> Tensor:
    return (values == values[:, :1]).all(dim=1)


def _where_defined(values: Tensor, undefined: Tensor) -> PerSample:
    return PerSample(values.masked_fill(undefined, 0), undefined)
