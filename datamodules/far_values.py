"""Warnings of values that do not suit the training of a network."""

from typing import TYPE_CHECKING, Any

from lightning.pytorch.utilities import rank_zero_warn

from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_part import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAR = 5.0
_FAR_TARGET = 20.0
_NARROW_TARGET = 0.05


def warn_of_far_target(values: "NDArray[Any]", name: str) -> None:
    """Warn of a regression target that a network with outputs near 0 can hardly reach.

    The target is not scaled, so that losses, metrics and predictions have its unit.

    Args:
        values: Targets of the training rows, ``(N,)``.
        name: Name of the target column.

    Example:
        >>> import numpy as np
        >>> warn_of_far_target(np.array([0.5, 1.5]), "price")
    """
    mean, std = float(values.mean()), float(values.std())
    if max(abs(mean), std) <= _FAR_TARGET and std >= _NARROW_TARGET:
        return
    rank_zero_warn(
        f"target {name!r} should have a mean near 0 and a standard deviation near 1 for "
        f"task='regression', got {mean:.4g} and {std:.4g} in the training rows; the target is not "
        "scaled, and a network that starts with outputs near 0 learns other values slowly or not "
        "at all: store the column in another unit, such as "
        "(value - mean) / standard deviation, and convert the predictions back"
    )


def warn_of_far_values(part: Part, encoder: TableEncoder) -> None:
    """Warn of quantile scaling that maps most values to the ends of the distribution.

    Args:
        part: The training rows.
        encoder: The encoding, fitted to them.
    """
    if encoder.scaling != "quantile" or not encoder.numbers:
        return
    rows = encoder.transform(part.table)
    columns = [encoder.names.index(name) for name in encoder.numbers]
    far = (abs(rows[:, columns]) > _FAR).mean(axis=0)
    if far.mean() > 0.5:
        worst = [name for name, share in zip(encoder.numbers, far, strict=True) if share > 0.5]
        rank_zero_warn(
            f"scaling='quantile' maps {far.mean():.0%} of the values of the training rows to "
            f"more than {_FAR:g} in magnitude, because {worst} have few different values, "
            "whose smallest and largest are mapped to the ends of the normal distribution; use "
            "scaling='standard'"
        )
