"""A look at whether inputs are standardised."""

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

_ENOUGH_VALUES = 16
_VISIBLE = 10.0


@torch.no_grad()
def warn_if_not_standardized(inputs: Tensor, axis: int) -> bool:
    """Warn where features differ visibly in spread, or lie far from 0 for their spread.

    A factor of ten is visible: samples of standardised features stay below it. Features that are
    constant in the batch say nothing and are left out.

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
    varies = spread > 1e-6 * mean.abs() + 1e-30
    if not varies.any():
        return True
    spread, mean = spread[varies], mean[varies]
    ratio = float(spread.max() / spread.min())
    offset = float((mean.abs() / spread).max())
    if ratio > _VISIBLE or offset > _VISIBLE:
        rank_zero_warn(
            "the inputs of a feature gate are not standardised: in the first training batch the "
            f"spreads of the features differ by a factor of {ratio:.3g}, and a mean lies up to "
            f"{offset:.3g} standard deviations from 0. A feature's score depends on its scale, so "
            "the scores cannot be compared. Standardise the inputs with the statistics of the "
            "training rows (scaling='standard' or 'quantile' in pear_lightning.datamodules), or "
            "say check_scale=False"
        )
    return True
