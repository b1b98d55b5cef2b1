"""Rows of a table that are made of other rows."""

import torch
from torch import Tensor

from pear_lightning.masking import Masker


def made_up_rows(rows: Tensor, masker: Masker, n: int, seed: int = 0) -> Tensor:
    """Return rows in which some features have the values of another row.

    An explainer learns from the explained model alone, which answers for any row, so a small table
    does not limit what it can learn from.

    Args:
        rows: Rows, ``(N, d)``.
        masker: The features; the columns of a feature stay together.
        n: Number of rows that are made up.
        seed: Seed.

    Returns:
        ``(n, d)``.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randint(len(rows), (2, n), generator=generator)
    features = masker.feature_map(rows[:1], {})[0]
    share = torch.rand(n, 1, generator=generator) / 2
    swapped = torch.rand(n, int(features.max()) + 1, generator=generator) < share
    return torch.where(swapped[:, features], rows[second], rows[first])
