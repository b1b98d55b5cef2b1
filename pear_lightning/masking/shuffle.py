"""A baseline of the input's own values in another order."""

import torch
from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds, hashed_keys, ranks
from pear_lightning.masking.baseline import Baseline


class Shuffle(Baseline):
    """Shuffled values of the input itself: positions of an image or text, or columns of a table.

    The values of an image's pixel, or of a token's embedding, stay together. A sample gets the
    same order in every batch. Positions that are never removed (padding, special tokens) keep their
    values.

    Args:
        seed: Seed of the orders.

    Shapes:
        - inputs: ``(B, *S)``: columns ``(B, d)``, images ``(B, C, H, W)``, embeddings
          ``(B, T, E)``
        - output: ``(K, B, *S)``
    """

    is_random = True

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return shuffled inputs for each draw, ``(K, B, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``.
            draws: Indices of the draws, ``(K,)``.
            where: Which elements are shuffled among themselves, bool, broadcastable to
                ``(B, *S)``; ``None`` means all.
        """
        grouped = _grouped(inputs)
        seeds = derived_seeds(seeds, "shuffle", self.seed)
        keys = hashed_keys(seeds, draws, grouped.shape[1])
        if where is None:
            order = keys.argsort(dim=-1)
        else:
            moves = _grouped(where.expand(inputs.shape)).any(dim=2)
            rank = ranks(moves)
            keys = keys.gather(2, rank.expand(keys.shape)).where(moves, torch.iinfo(keys.dtype).max)
            order = keys.argsort(dim=-1, stable=True).gather(2, rank.expand(keys.shape))
        index = order[..., None].expand(*order.shape, grouped.shape[2])
        shuffled = grouped.expand(len(draws), *grouped.shape).gather(2, index)
        shuffled = shuffled.mT if inputs.ndim == 4 else shuffled
        return shuffled.reshape(len(draws), *inputs.shape)


def _grouped(values: Tensor) -> Tensor:
    """Return values ``(B, *S)`` as ``(B, positions, values of a position)``."""
    return values.flatten(2).mT if values.ndim == 4 else values.unsqueeze(-1).flatten(2)
