"""Check of whether inputs are standardised."""

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

_ENOUGH_VALUES = 16
_RATIO_OF_SPREADS = 30.0  # small batches of standardised long-tailed columns reach 20
_DISTANCE_FROM_ZERO = 10.0
# of the median feature: beyond these, gates lose relevant features that they find if standardised
_TYPICAL_SPREADS = (0.3, 3.0)
_TYPICAL_DISTANCE = 2.0


@torch.no_grad()
def warn_if_not_standardized(inputs: Tensor, axis: int) -> bool:
    """Warn if features are not standardised, by their spreads and means.

    The limits are a factor of 30 between spreads, a mean 10 standard deviations from 0, and for the
    median feature a spread from 0.3 to 3 and a mean 2 standard deviations from 0; batches of
    standardised features stay below them. Features in [0, 1] often do not: the gradient of a gate
    then follows the constant part of a feature, which says nothing about its relevance, and gated
    small inputs leave little signal for the next layer. Features that are constant in the batch
    carry no information and are excluded, and so are features with only the values 0 and 1, which
    are often left unscaled.

    Args:
        inputs: A batch, ``(B, *S)``. On an accelerator, the call synchronises.
        axis: Dimension that holds the features.

    Returns:
        Whether the batch was checked, which takes at least 16 values of each feature.

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
    offsets = mean.abs() / spread
    offset, typical_offset = float(offsets.max()), float(offsets.median())
    typical = float(spread.median())
    low, high = _TYPICAL_SPREADS
    if (
        ratio > _RATIO_OF_SPREADS
        or offset > _DISTANCE_FROM_ZERO
        or typical_offset > _TYPICAL_DISTANCE
        or not low <= typical <= high
    ):
        rank_zero_warn(
            "the inputs of a feature gate are not standardised: in the first training batch the "
            f"spreads of the features differ by a factor of {ratio:.3g}, with a median of "
            f"{typical:.3g}, and a mean lies up to {offset:.3g} standard deviations from 0. A "
            "feature's score depends on its scale, so the scores cannot be compared. Standardise "
            "the inputs with the statistics of the training rows (scaling='standard' or "
            "'quantile' in pear_lightning.datamodules), or pass check_scale=False"
        )
    return True
