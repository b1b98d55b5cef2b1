"""A look at whether inputs are standardised."""

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

_ENOUGH_VALUES = 16
_RATIO_OF_SPREADS = 30.0  # small batches of standardised columns with long tails reach 20
_DISTANCE_FROM_ZERO = 10.0


@torch.no_grad()
def warn_if_not_standardized(inputs: Tensor, axis: int) -> bool:
    """Warn where features differ visibly in spread, or lie far from 0 for their spread.

    Spreads that differ by a factor of 30, and a mean 10 standard deviations from 0, are visible:
    batches of standardised features stay below. Left out are features that are constant in the
    batch, which say nothing, and those that are 0 and 1, which many leave as they are.

    Args:
        inputs: A batch, ``(B, *S)``. On an accelerator it is waited for.
        axis: Dimension that holds the features.

    Returns:
        Whether the batch was looked at: it holds enough values of each feature, 16.

    Example:
        >>> warn_if_not_standardized(torch.randn(4, 3), axis=-1)
        False
        >>> warn_if_not_standardized(torch.randn(64, 3), axis=-1)
        True
    """
    rows = inputs.movedim(axis, -1).flatten(0, -2).float()
    if len(rows) < _ENOUGH_VALUES:
        return False
    spread, mean = torch.std_mean(rows, dim=0)
    telling = (spread > 1e-6 * mean.abs() + 1e-30) & ~((rows == 0) | (rows == 1)).all(dim=0)
    if not telling.any():
        return True
    spread, mean = spread[telling], mean[telling]
    ratio = float(spread.max() / spread.min())
    offset = float((mean.abs() / spread).max())
    if ratio > _RATIO_OF_SPREADS or offset > _DISTANCE_FROM_ZERO:
        rank_zero_warn(
            "the inputs of a feature gate are not standardised: in the first training batch the "
            f"spreads of the features differ by a factor of {ratio:.3g}, and a mean lies up to "
            f"{offset:.3g} standard deviations from 0. A feature's score depends on its scale, so "
            "the scores cannot be compared. Standardise the inputs with the statistics of the "
            "training rows (scaling='standard' or 'quantile' in pear_lightning.datamodules), or "
            "say check_scale=False"
        )
    return True
