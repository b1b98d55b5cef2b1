"""The wrong-reason score: how much of a confounder an explanation highlights."""

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.regions import RegionRows, region_rows


@torch.no_grad()
def activation(attributions: Tensor, mask: Tensor) -> tuple[RegionRows, Tensor]:
    """Scale the positive attributions of each sample to [0, 1]; negative ones count as 0.

    Args:
        attributions: ``(B, *S)`` floating.
        mask: ``(B, *S)``, or size 1 in dimensions that share one value, over which attributions are
            summed.

    Returns:
        Activations and the mask, both ``(B, n)``; and ``(B,)`` bool, whether a sample has no
        activation because no attribution is positive or all are equal.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a mask that is not binary, or NaN or infinite
            values.

    Example:
        >>> mask = torch.tensor([[True, False, False, False]])
        >>> rows, nothing = activation(torch.tensor([[3.0, 1.0, -2.0, 0.0]]), mask)
        >>> rows.values, nothing
        (tensor([[1.0000, 0.3333, 0.0000, 0.0000]]), tensor([False]))
    """
    values, marked = region_rows(attributions, mask, "mask")
    values = values.clamp(min=0)
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    nothing = low == high
    stretched = (values - low) / (high - low).masked_fill(nothing, 1)
    return RegionRows(stretched, marked), nothing[:, 0]


@torch.no_grad()
def mean_activation(attributions: Tensor, mask: Tensor) -> Tensor:
    r"""Mean activation over the samples that have one: the threshold of :func:`wrong_reason`.

    .. math:: t = \frac1N \sum_n \frac1d \sum_i s_{ni}

    Args:
        attributions: ``(B, *S)`` floating, all samples of a test set.
        mask: ``(B, *S)``, or size 1 in dimensions that share one value.

    Returns:
        A scalar; NaN if no sample has both an activation and a mask.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a mask that is not binary, or NaN or infinite
            values.

    Example:
        >>> mask = torch.tensor([[True, False, False, False]])
        >>> mean_activation(torch.tensor([[3.0, 1.5, -2.0, 0.0]]), mask)
        tensor(0.3750)
    """
    rows, nothing = activation(attributions, mask)
    return rows.values[~nothing & rows.marked.any(dim=1)].mean(dim=1).mean()


@torch.no_grad()
def wrong_reason(attributions: Tensor, mask: Tensor, threshold: float) -> PerSample:
    r"""Share of the masked features that an explanation highlights; lower is better.

    .. math::
        \mathrm{WR}_n = \frac{|\{i: A_{ni} = 1, s_{ni} > t\}|}{|\{i: A_{ni} = 1\}|}, \qquad
        s_n = \text{min-max of } \max(φ_n, 0)

    Args:
        attributions: ``(B, *S)`` floating, attributions of the predicted class.
        mask: ``(B, *S)``, or size 1 in dimensions that share one value, over which attributions are
            summed; true = irrelevant.
        threshold: t in [0, 1]. The paper's is the mean activation of the test set,
            :func:`mean_activation`.

    Returns:
        Values ``(B,)`` in [0, 1]; 0 and undefined where the mask is empty, no attribution is
        positive, or all are equal.

    Raises:
        TypeError: if the attributions are not floating.
        ValueError: for shapes that do not fit, a mask that is not binary, NaN or infinite values,
            or a threshold outside [0, 1].

    Example:
        >>> attributions = torch.tensor([[4.0, 1.0, -2.0, 0.0], [-1.0, 0.0, -1.0, -1.0]])
        >>> mask = torch.tensor([[True, True, False, False]]).expand(2, 4)
        >>> wrong_reason(attributions, mask, threshold=0.3)
        PerSample(values=tensor([0.5000, 0.0000]), undefined=tensor([False,  True]))

    References:
        Friedrich, Stammer, Schramowski, Kersting, *A typology for exploring the mitigation of
        shortcut behaviour*, Nature Machine Intelligence 5, 2023.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be between 0 and 1, got {threshold}")
    rows, nothing = activation(attributions, mask)
    return lit_share(rows.values, rows.marked, threshold, nothing)


def lit_share(values: Tensor, marked: Tensor, threshold: float, nothing: Tensor) -> PerSample:
    """Return the share of the marked values that are above a threshold, ``(B,)``.

    Args:
        values: activations, ``(B, n)``.
        marked: ``(B, n)`` bool.
        threshold: values equal to it do not count.
        nothing: whether a sample has no activation, ``(B,)`` bool.

    Example:
        >>> lit_share(torch.eye(2), torch.ones(2, 2).bool(), 0.5, torch.zeros(2).bool()).values
        tensor([0.5000, 0.5000])
    """
    size = marked.sum(dim=1)
    undefined = nothing | (size == 0)
    share = ((values > threshold) & marked).sum(dim=1) / size.clamp(min=1)
    return PerSample(share.to(values.dtype).masked_fill(undefined, 0), undefined)
