"""A warning of a scaling that does not suit a table."""

from lightning.pytorch.utilities import rank_zero_warn

from pear_lightning.datamodules.table_encoder import TableEncoder
from pear_lightning.datamodules.table_part import Part

_FAR = 5.0


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
