"""A small transformer for texts, built from its arguments."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from typing_extensions import override

from pear_lightning.nn.text_classifier import TextClassifier, embedded_ids, token_embedding
from pear_lightning.nn.token_pooling import last_token, mean_of_tokens, positions_of_tokens


class TransformerTextClassifier(TextClassifier):
    """Small transformer encoder that classifies token ids or token embeddings.

    Blocks of self-attention and feed-forward layers with layer norm in front (pre-norm), learned
    positions, and a linear layer. Padding does not change the logits, on either side: attention
    ignores it, and positions count tokens only. No download is needed; for pretrained networks see
    :class:`~pear_lightning.nn.TransformersClassifier`, which has the same interface.

    Attention is fused, except in explanations that train the network, which take second
    derivatives.

    Shapes:
        - ``inputs``: ``(B, L, embedding_size)`` float, or ``(B, L)`` long token ids
        - ``attention_mask``: ``(B, L)``, 1 for a token and 0 for padding
        - ``logits``: ``(B, num_classes)``

    Args:
        vocab_size: Number of token ids. ``None`` builds a network that takes embeddings only.
        num_classes: Number of classes.
        embedding_size: Size of embeddings and of all hidden states.
        num_layers: Number of blocks.
        num_heads: Number of attention heads; must divide ``embedding_size``.
        feedforward_size: Width of the feed-forward layers; ``None`` is ``4 * embedding_size``.
        max_tokens: Number of positions, the largest length of a text.
        pooling: ``"mean"`` over the tokens, the ``"first"`` token ([CLS]) or the ``"last"`` token.
        dropout: Share of the values dropped in training, from 0 to below 1: of embeddings,
            attention weights, and results of the layers.

    Raises:
        ValueError: If an argument is out of range; in ``forward``, if a shape does not fit, or a
            text is longer than ``max_tokens``.

    Example:
        >>> model = TransformerTextClassifier(vocab_size=20, num_classes=3, embedding_size=16)
        >>> ids = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]])
        >>> model(ids, attention_mask=ids != 0).shape
        torch.Size([2, 3])
        >>> model(model.embed(ids), attention_mask=ids != 0).shape
        torch.Size([2, 3])
    """

    max_tokens: int

    def __init__(
        self,
        vocab_size: int | None,
        num_classes: int = 2,
        embedding_size: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        feedforward_size: int | None = None,
        max_tokens: int = 512,
        pooling: Literal["mean", "first", "last"] = "mean",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        feedforward_size = feedforward_size or 4 * embedding_size
        sizes = {"num_classes": num_classes, "num_layers": num_layers, "num_heads": num_heads}
        sizes |= {"max_tokens": max_tokens, "feedforward_size": feedforward_size}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if embedding_size % num_heads:
            raise ValueError(
                f"num_heads must divide embedding_size={embedding_size}, got {num_heads}"
            )
        if pooling not in ("mean", "first", "last"):
            raise ValueError(f"pooling must be 'mean', 'first' or 'last', got {pooling!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.embedding = token_embedding(vocab_size, embedding_size)
        self.positions = nn.Embedding(max_tokens, embedding_size)
        for table in (self.embedding, self.positions):
            if table is not None:  # as in BERT: the default of 1 is large in front of pre-norm
                nn.init.normal_(table.weight, std=0.02)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            _Block(embedding_size, num_heads, feedforward_size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embedding_size)
        self.head = nn.Linear(embedding_size, num_classes)
        self.embedding_size = embedding_size
        self.max_tokens = max_tokens
        self.pooling = pooling

    @override
    def embed(self, ids: Tensor) -> Tensor:
        return embedded_ids(self.embedding, ids)

    @override
    def classify(self, embeddings: Tensor, attention_mask: Tensor | None) -> Tensor:
        if embeddings.shape[2] != self.embedding_size:
            raise ValueError(
                f"inputs must have shape (B, L, {self.embedding_size}), got "
                f"{tuple(embeddings.shape)}"
            )
        if attention_mask is None:  # attention without a mask has more fused kernels
            mask, among = None, torch.arange(embeddings.shape[1], device=embeddings.device)
        else:
            mask = attention_mask != 0
            among = positions_of_tokens(mask)
        hidden = self.dropout(embeddings + self.positions(among))
        visible = None if mask is None else mask[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, visible)
        logits: Tensor = self.head(self._pooled(self.norm(hidden), mask))
        return logits

    def _pooled(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        if self.pooling == "mean":
            return mean_of_tokens(hidden, mask)
        if self.pooling == "first":
            if mask is None:
                return hidden[:, 0]
            return hidden[torch.arange(len(hidden), device=mask.device), mask.int().argmax(dim=1)]
        return hidden[:, -1] if mask is None else last_token(hidden, mask)


class _Block(nn.Module):
    """Self-attention and a feed-forward layer, each with layer norm in front."""

    def __init__(self, size: int, num_heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(size)
        self.queries_keys_values = nn.Linear(size, 3 * size)
        self.attention_out = nn.Linear(size, size)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, feedforward_size),
            nn.GELU(),
            nn.Linear(feedforward_size, size),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)
        self.num_heads = num_heads

    def forward(self, hidden: Tensor, visible: Tensor | None) -> Tensor:
        """Return the next hidden states ``(B, L, D)``; ``visible`` is ``(B, 1, 1, L)`` bool."""
        joint = self.queries_keys_values(self.attention_norm(hidden))
        queries, keys, values = joint.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=visible,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        hidden = hidden + self.dropout(self.attention_out(attended.transpose(1, 2).flatten(2)))
        return hidden + self.feedforward(hidden)  # type: ignore[no-any-return]
