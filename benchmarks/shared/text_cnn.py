"""The network for text."""

import copy

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
        hidden = _convolved(self.convolution, self.activation, inputs, attention_mask)
        logits: Tensor = self.output(self.dropout(self.pooling(hidden).flatten(1)))
        return logits


class ConvolvedWords(nn.Module):
    """A vector for each word from the convolution of a :class:`TextCNN`, which is copied.

    Beside what the filters find at a word, the vector tells where this is the maximum over the
    text, which is all that the network goes on with.

    Args:
        network: The network.
        dim: Length of a vector.
    """

    def __init__(self, network: TextCNN, dim: int = 64) -> None:
        super().__init__()
        self.convolution = copy.deepcopy(network.convolution).requires_grad_(True)
        self.activation = nn.ReLU()
        self.projection = nn.Linear(2 * self.convolution.out_channels, dim)

    def forward(self, inputs_embeds: Tensor, attention_mask: Tensor) -> Tensor:
        """Return vectors ``(B, 64, dim)`` of embeddings ``(B, 64, D)``."""
        hidden = _convolved(self.convolution, self.activation, inputs_embeds, attention_mask)
        words = hidden[..., 0].mT
        winners = words * (words == words.amax(dim=1, keepdim=True))
        vectors: Tensor = self.projection(torch.cat([words, winners], dim=2))
        return vectors


def _convolved(
    convolution: nn.Module, activation: nn.Module, inputs: Tensor, attention_mask: Tensor
) -> Tensor:
    """Return what the filters find at each word, ``(B, filters, 64, 1)``, and 0 at padding."""
    mask = attention_mask.to(inputs.dtype)[:, None, :, None]
    hidden: Tensor = activation(convolution(inputs[:, None] * mask)) * mask
    return hidden
