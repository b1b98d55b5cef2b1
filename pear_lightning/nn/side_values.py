"""Values of each feature that an explainer network reads beside its inputs."""

from torch import Tensor


def checked_side(side: Tensor | None, channels: int) -> Tensor:
    """Return the values, or raise if they are missing or of another number.

    Args:
        side: ``(B, n, S)``, or ``None``.
        channels: The number S that the network was built for.

    Raises:
        ValueError: See above.
    """
    if side is None:
        raise ValueError(f"side must be given, (B, n, {channels}), got None")
    if side.ndim != 3 or side.shape[-1] != channels:
        raise ValueError(
            f"side must have shape (B, n, {channels}), because the network was built with "
            f"side_channels={channels}, got {tuple(side.shape)}"
        )
    return side
