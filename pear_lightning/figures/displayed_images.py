"""Images as they are shown."""

from collections.abc import Sequence

import torch
from torch import Tensor


def displayed(
    images: Tensor, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Tensor:
    """Return images as they are shown: ``(B, H, W, C)`` with C = 1 or 3, between 0 and 1.

    Without ``mean`` and ``std``, images with values outside of [0, 1] are scaled to that range,
    each by its own smallest and largest value.

    Args:
        images: ``(B, C, H, W)``.
        mean: Mean of each channel, or one for all.
        std: Standard deviation of each channel, or one for all.

    Raises:
        ValueError: If a shape does not fit.

    Example:
        >>> displayed(torch.zeros(1, 3, 2, 2), [0.5, 0.4, 0.3], [1.0, 1.0, 1.0])[0, 0, 0].tolist()
        [0.5, 0.4000000059604645, 0.30000001192092896]
    """
    if images.ndim != 4:
        raise ValueError(f"images must be (B, C, H, W), got {tuple(images.shape)}")
    values = images.detach().float().cpu().movedim(1, 3)
    for name, each in (("mean", mean), ("std", std)):
        if each is not None and len(each) not in (1, values.shape[3]):
            raise ValueError(
                f"{name} must have one number for each of the {values.shape[3]} channels, got "
                f"{list(each)}"
            )
    if std is not None:
        values = values * torch.tensor(std)
    if mean is not None:
        values = values + torch.tensor(mean)
    if values.shape[3] not in (1, 3):
        values = values.mean(dim=3, keepdim=True)
    if mean is None and std is None and bool(((values < 0) | (values > 1)).any()):
        low, high = values.amin(dim=(1, 2, 3), keepdim=True), values.amax((1, 2, 3), keepdim=True)
        values = (values - low) / (high - low).clamp(min=1e-12)
    return values.clamp(0, 1)
