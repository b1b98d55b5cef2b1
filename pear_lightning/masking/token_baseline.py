"""A baseline for removed tokens."""

import torch
from torch import Tensor

from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.baseline_spec import BaselineSpec, resolve_baseline
from pear_lightning.masking.shuffle import Shuffle


class TokenBaseline(Baseline):
    """A token id for removed ids, and another baseline for removed embeddings.

    Args:
        mask_token_id: Id that replaces removed token ids; ``None`` if only embeddings are masked.
        embedding: Values of removed embeddings: ``"zeros"``, a number, a tensor ``(E,)``,
            ``"own_mean"``, ``"uniform"``, ``"gaussian"``, ``"shuffle"`` or a baseline. A shuffle
            also applies to ids if no ``mask_token_id`` is given.

    Raises:
        ValueError: If ``mask_token_id`` is negative, or the baseline is ``"mean"``; when called
            with ids, if there is neither a ``mask_token_id`` nor a shuffle.

    Shapes:
        - inputs: ids ``(B, T)`` long or embeddings ``(B, T, E)``
        - output: broadcastable to ``(K, B, T)`` or ``(K, B, T, E)``
    """

    def __init__(self, mask_token_id: int | None = None, embedding: BaselineSpec = "zeros") -> None:
        super().__init__()
        if mask_token_id is not None and mask_token_id < 0:
            raise ValueError(f"mask_token_id must be an id of the vocabulary, got {mask_token_id}")
        if isinstance(embedding, Tensor) and embedding.ndim == 1:
            embedding = embedding[None]  # the same for every token
        self.mask_token_id = mask_token_id
        self.embedding = resolve_baseline(embedding)
        if self.embedding.from_training_data:
            raise ValueError(
                "baseline must not be 'mean' for tokens, got 'mean', which mixes tokens of all "
                "positions and padding; pass the mean token embedding as a tensor, such as "
                "baseline=embedding.weight.mean(0), or use 'own_mean'"
            )
        self.is_random = self.embedding.is_random

    @property
    def replaces_ids(self) -> bool:
        """Whether removed ids have values: those of ``mask_token_id``, or of other tokens."""
        return self.mask_token_id is not None or isinstance(self.embedding, Shuffle)

    def replacements(
        self, inputs: Tensor, seeds: Tensor, draws: Tensor, where: Tensor | None = None
    ) -> Tensor:
        """Return the values of removed tokens, broadcastable to the inputs with draws first.

        Args:
            inputs: Ids ``(B, T)`` or embeddings ``(B, T, E)``.
            seeds: Seeds of the samples, ``(B,)``.
            draws: Indices of the draws, ``(K,)``.
            where: Which elements belong to a token that may be removed; ``None`` means all.
        """
        if inputs.is_floating_point():
            return self.embedding.replacements(inputs, seeds, draws, where)
        if self.mask_token_id is not None:
            return torch.full_like(inputs[:1], self.mask_token_id)[None]
        if isinstance(self.embedding, Shuffle):
            return self.embedding.replacements(inputs, seeds, draws, where)
        raise ValueError(
            "mask_token_id must be given to remove token ids, got None; use "
            "TokenMasker(mask_token_id=...), or baseline='shuffle'"
        )

    def extra_repr(self) -> str:
        """Return the id for ``repr``."""
        return f"mask_token_id={self.mask_token_id}"
