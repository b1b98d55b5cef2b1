"""The baseline of an input's own values in another order."""

from torch import Tensor

from pear_lightning.functional.hashed_random import derived_seeds, hashed_keys
from pear_lightning.masking.baseline import Baseline


class Shuffle(Baseline):
    """The values of the same input, shuffled: positions of an image or a text, columns of a table.

    The values of an image's pixel, or of a token's embedding, stay together. A sample gets the
    same order in every batch.

    Args:
        seed: Chooses other orders.

    Shapes:
        - inputs: ``(B, *S)``: columns ``(B, d)``, images ``(B, C, H, W)``, embeddings
          ``(B, T, E)``
        - output: ``(K, B, *S)``
    """

    is_random = True

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def replacements(self, inputs: Tensor, seeds: Tensor, draws: Tensor) -> Tensor:
        """Return shuffled inputs for each draw, ``(K, B, *S)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            seeds: Seeds of the samples, ``(B,)``.
            draws: Numbers of the draws, ``(K,)``.

        Returns:
            Values, ``(K, B, *S)``.
        """
        # (B, positions, values that stay together)
        grouped = inputs.flatten(2).mT if inputs.ndim == 4 else inputs.view(*inputs.shape[:2], -1)
        seeds = derived_seeds(seeds, "shuffle", self.seed)
        order = hashed_keys(seeds, draws, grouped.shape[1]).argsort(dim=-1)
        index = order[..., None].expand(*order.shape, grouped.shape[2])
        shuffled = grouped.expand(len(draws), *grouped.shape).gather(2, index)
        shuffled = shuffled.mT if inputs.ndim == 4 else shuffled
        return shuffled.reshape(len(draws), *inputs.shape)
