"""Tokens of a text as features."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from pear_lightning.masking.baseline_spec import BaselineSpec
from pear_lightning.masking.bound_masker import Pooling
from pear_lightning.masking.masker import Masker
from pear_lightning.masking.token_baseline import TokenBaseline


class TokenMasker(Masker):
    """The tokens of a text as features, from token ids or from their embeddings.

    Feature t is the token at position t, so saliency ``(B, T)`` aligns with the tokens. Padding and
    special tokens are never features: they are kept, and their saliency is 0. Texts without any
    other token are refused.

    Padding and special tokens are given for each batch by name, as tokenizers name them
    (``forward_kwargs`` and ``masker_kwargs`` of :func:`~pear_lightning.explainers.explain` and of
    the metrics are passed here):

    - ``attention_mask (B, T)``: 1 for a token, 0 for padding. Without it, only ``pad_token_id`` is
      padding.
    - ``special_tokens_mask (B, T)``: 1 for a special token, in addition to ``special_token_ids``.
    - ``input_ids (B, T)``: if the inputs are embeddings, the ids in which to look for
      ``special_token_ids`` and ``pad_token_id``.

    Args:
        mask_token_id: Id that replaces a removed token id, such as ``tokenizer.mask_token_id``.
            ``None`` if the inputs are embeddings.
        special_token_ids: Ids that are never features, such as those of [CLS] and [SEP].
        pad_token_id: Id of padding, never a feature; for batches without an attention mask.
        n_tokens: Length T of the texts. ``None`` accepts any length; :attr:`n_features` is then
            unknown.
        baseline: Values of a removed embedding: ``"zeros"``, a tensor ``(E,)`` such as the
            embedding of [MASK] or the mean ``embedding.weight.mean(0)``, ``"own_mean"`` (of the
            text's tokens), ``"uniform"``, ``"gaussian"``, ``"shuffle"`` (other tokens of the text;
            also for ids, without a ``mask_token_id``), a number, or a
            :class:`~pear_lightning.masking.Baseline`.
        pooling: ``"sum"`` or ``"mean"`` of the attributions of an embedding's components.

    Raises:
        ValueError: If an argument is invalid; when used, if a shape does not fit, a text has no
            token that is a feature, or it is not known which embeddings are special.

    Shapes:
        - inputs: ids ``(B, T)`` long, or embeddings ``(B, T, E)`` float
        - attributions: ``(B, T)`` or ``(B, T, E)``, for both kinds of inputs
        - saliency: ``(B, T)``

    Example:
        >>> import torch
        >>> masker = TokenMasker(mask_token_id=4, special_token_ids=[2, 3])
        >>> ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
        >>> bound = masker.bind(ids, {"attention_mask": (ids != 0).long()})
        >>> bound.present.int()
        tensor([[0, 1, 1, 0],
                [0, 1, 0, 0]], dtype=torch.int32)
        >>> bound.apply(torch.zeros(1, 1, 4, dtype=torch.bool))[:, 0]
        tensor([[2, 4, 4, 3],
                [2, 4, 3, 0]])
    """

    channel_dim = -1
    baseline: TokenBaseline

    def __init__(
        self,
        mask_token_id: int | None = None,
        *,
        special_token_ids: Sequence[int] = (),
        pad_token_id: int | None = None,
        n_tokens: int | None = None,
        baseline: BaselineSpec = "zeros",
        pooling: Pooling = "sum",
    ) -> None:
        if isinstance(baseline, TokenBaseline):
            if mask_token_id is not None:
                raise ValueError(
                    "mask_token_id must be None if baseline is a TokenBaseline, got "
                    f"{mask_token_id} with {baseline!r}; set it in the TokenBaseline"
                )
        else:
            baseline = TokenBaseline(mask_token_id, baseline)
        super().__init__(baseline, pooling)
        if n_tokens is not None and n_tokens < 1:
            raise ValueError(f"n_tokens must be at least 1, got {n_tokens}")
        self.special_token_ids = sorted(set(special_token_ids))
        self.pad_token_id = pad_token_id
        self.n_tokens = n_tokens

    def init_args(self) -> dict[str, Any]:
        """Return the constructor arguments; the baseline holds the ``mask_token_id``."""
        return {
            "special_token_ids": self.special_token_ids,
            "pad_token_id": self.pad_token_id,
            "n_tokens": self.n_tokens,
            "baseline": self.baseline,
            "pooling": self.pooling,
        }

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: Any,
        mask_token_id: int | None = None,
        *,
        n_tokens: int | None = None,
        baseline: BaselineSpec = "zeros",
        pooling: Pooling = "sum",
    ) -> Self:
        """Return a masker with the ids of a tokenizer from transformers.

        Every special token of the tokenizer is special here, except the unknown token, which stands
        for a word of the text.

        Args:
            tokenizer: The tokenizer.
            mask_token_id: Id that replaces a removed token id; ``None`` means the tokenizer's mask
                token.
            n_tokens: See the class.
            baseline: See the class.
            pooling: See the class.

        Raises:
            ValueError: If ``mask_token_id`` is ``None`` and the tokenizer has no mask token, which
                is the case for decoders.
        """
        mask_token_id = tokenizer.mask_token_id if mask_token_id is None else mask_token_id
        if mask_token_id is None:
            raise ValueError(
                f"mask_token_id must be given for {type(tokenizer).__name__}, which has no mask "
                "token, got None; use tokenizer.pad_token_id or the id of a neutral word"
            )
        names = ("bos", "eos", "sep", "cls", "pad")
        named = [getattr(tokenizer, f"{name}_token_id", None) for name in names]
        special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        special |= {number for number in named if number is not None}
        return cls(
            mask_token_id,
            special_token_ids=sorted(special),
            pad_token_id=tokenizer.pad_token_id,
            n_tokens=n_tokens,
            baseline=baseline,
            pooling=pooling,
        )

    @property
    def n_features(self) -> int:
        """Number of positions T.

        Raises:
            ValueError: If ``n_tokens`` was not given.
        """
        if self.n_tokens is None:
            raise ValueError(
                "n_tokens must be given for the number of features to be known, got None; use "
                "TokenMasker(..., n_tokens=...)"
            )
        return self.n_tokens

    def feature_map(self, inputs: Tensor, sample_data: Mapping[str, Any]) -> Tensor:
        """Return the position of every token that is a feature, and -1 for the others.

        Args:
            inputs: Ids ``(B, T)`` or embeddings ``(B, T, E)``.
            sample_data: Any of ``attention_mask``, ``special_tokens_mask`` and ``input_ids``.

        Returns:
            Long, ``(B, T)`` for ids and ``(B, T, 1)`` for embeddings; 1 instead of B if every token
            of every text is a feature.
        """
        self._check(inputs)
        shape = inputs.shape[:2]
        known = {
            name: _aligned(name, sample_data[name], shape)
            for name in ("attention_mask", "special_tokens_mask", "input_ids")
            if sample_data.get(name) is not None
        }
        positions = torch.arange(shape[1], device=inputs.device)[None]
        fixed = self._fixed(inputs, known)
        if fixed is not None and bool(fixed.any()):
            positions = positions.masked_fill(fixed, -1)
        return positions if inputs.ndim == 2 else positions[..., None]

    def with_baseline(self, baseline: BaselineSpec) -> Self:
        """Return a masker of the same tokens with another baseline for embeddings.

        Args:
            baseline: Values of a removed embedding. Removed ids are still replaced by
                ``mask_token_id``, unless it is a :class:`~pear_lightning.masking.TokenBaseline`.
        """
        if not isinstance(baseline, TokenBaseline):
            baseline = TokenBaseline(self.baseline.mask_token_id, baseline)
        return super().with_baseline(baseline)

    def settings(self) -> str:
        """Return the ids and the length, for ``repr``."""
        return (
            f"special_token_ids={self.special_token_ids}, pad_token_id={self.pad_token_id}, "
            f"n_tokens={self.n_tokens}"
        )

    def _fixed(self, inputs: Tensor, known: Mapping[str, Tensor]) -> Tensor | None:
        """Return which tokens are never removed, ``(B, T)``, or ``None`` if nothing is known."""
        fixed = []
        if "attention_mask" in known:
            fixed.append(known["attention_mask"] == 0)
        if "special_tokens_mask" in known:
            fixed.append(known["special_tokens_mask"] != 0)
        ids = inputs if not inputs.is_floating_point() else known.get("input_ids")
        if ids is not None:
            never = list(self.special_token_ids)
            if self.pad_token_id is not None and "attention_mask" not in known:
                never.append(self.pad_token_id)
            fixed.append(torch.isin(ids, torch.tensor(never, device=ids.device, dtype=ids.dtype)))
        elif self.special_token_ids and "special_tokens_mask" not in known:
            raise ValueError(
                "input_ids or special_tokens_mask must be given with embeddings or attributions "
                "to find special_token_ids, got neither; give masker_kwargs={'input_ids': ids}, "
                "which the model does not receive"
            )
        elif self.pad_token_id is not None and "attention_mask" not in known:
            raise ValueError(
                "input_ids or attention_mask must be given with embeddings or attributions to "
                "find pad_token_id, got neither; give masker_kwargs={'input_ids': ids}, which the "
                "model does not receive"
            )
        return torch.stack(fixed).any(dim=0) if fixed else None

    def _check(self, inputs: Tensor) -> None:
        # attributions (B, T), passed by Masker.pool in place of inputs, are floating point
        dtype = inputs.dtype
        fits = inputs.ndim == 2 or (inputs.ndim == 3 and inputs.is_floating_point())
        if not fits or dtype == torch.bool or dtype.is_complex:
            raise ValueError(
                "inputs must be token ids (B, T) or embeddings (B, T, E), got "
                f"{dtype}, {tuple(inputs.shape)}"
            )
        if self.n_tokens is not None and inputs.shape[1] != self.n_tokens:
            raise ValueError(
                f"inputs must have n_tokens={self.n_tokens} tokens, got {inputs.shape[1]}"
            )

    def _count(self, feature_map: Tensor) -> int:
        return feature_map.shape[1]


def _aligned(name: str, values: Tensor, shape: torch.Size) -> Tensor:
    """Return a tensor of the batch after checking its shape."""
    if values.shape != shape:
        raise ValueError(
            f"{name} must have one entry per token, {tuple(shape)}, got {tuple(values.shape)}"
        )
    return values
