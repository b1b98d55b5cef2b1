"""The network for text."""

import torch
from torch import Tensor, nn

from benchmarks.shared.word_ids import MAX_TOKENS, PADDING


class TextCNN(nn.Module):
    """A convolution over three words, the maximum over the text, a linear layer.

    The network takes embeddings, so that they can be explained; :meth:`embed` makes them of ids.
    Padding has the embedding 0 and reaches neither convolution nor maximum.

    Args:
        vocabulary: Number of words.
        classes: Number of classes.
        features: Length of an embedding.
        filters: Number of filters.
    """

    def __init__(
        self, vocabulary: int, classes: int, features: int = 64, filters: int = 128
    ) -> None:
        super().__init__()
        # no nn.Embedding: Captum's LRP has no rule for it, although it is not explained
        self.embedding = nn.Parameter(0.3 * torch.randn(vocabulary, features))
        self.convolution = nn.Conv2d(1, filters, (3, features), padding=(1, 0))
        self.activation = nn.ReLU()
        self.pooling = nn.MaxPool2d((MAX_TOKENS, 1))
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(filters, classes)

    def embed(self, tokens: Tensor) -> Tensor:
        """Return embeddings ``(B, 64, D)`` of token ids ``(B, 64)``."""
        embedded = nn.functional.embedding(tokens, self.embedding)
        return embedded.masked_fill((tokens == PADDING)[..., None], 0)

    def forward(self, inputs: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits ``(B, C)`` of embeddings ``(B, 64, D)``; the mask ``(B, 64)`` has words."""
        mask = attention_mask.to(inputs.dtype)[:, None, :, None]
        hidden = self.activation(self.convolution(inputs[:, None] * mask)) * mask
        logits: Tensor = self.output(self.dropout(self.pooling(hidden).flatten(1)))
        return logits
