"""The number of features of a network, which the command line takes from the data."""


def given_in_features(in_features: int | None) -> int:
    """Return a number of features; raise if it is missing.

    The argument of a network is optional so that configurations can leave it out.

    Args:
        in_features: The number of features, or ``None``.

    Raises:
        ValueError: If it is ``None``.

    Example:
        >>> given_in_features(8)
        8
    """
    if in_features is None:
        raise ValueError(
            "in_features must be the number of features of a row, got None; the command line takes "
            "it from tables of pear_lightning.datamodules"
        )
    return in_features
