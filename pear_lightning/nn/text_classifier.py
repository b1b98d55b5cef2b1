"""Base class of networks that classify texts by their token ids or token embeddings."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced


class TextClassifier(nn.Module, ABC):
    """Base class of networks that classify texts by their token ids or token embeddings.

    Token ids have no gradient, so gradient explainers explain embeddings: modules and losses call
    :meth:`embed` once and pass the result on. Subclasses implement :meth:`embed` and
    :meth:`classify`. Padding must not change the logits of a text.

    Shapes:
        - ``inputs``: ``(B, L, D)`` float embeddings, or ``(B, L)`` long token ids
        - ``attention_mask``: ``(B, L)``, 1 for a token and 0 for padding, on either side
        - ``logits``: ``(B, C)``
    """

    max_tokens: int | None = None
    """Largest length L of a text, including padding; ``None`` for no limit."""

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Return embeddings ``(B, L, D)`` of token ids ``(B, L)``, without position embeddings.

        Args:
            ids: Token ids, ``(B, L)`` long.
        """

    @abstractmethod
    def classify(self, embeddings: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Return logits ``(B, C)``.

        Args:
            embeddings: Embeddings ``(B, L, D)``.
            attention_mask: ``(B, L)``; ``None`` means that there is no padding.
        """

    def forward(
        self, inputs: Tensor, attention_mask: Tensor | None = None, **further: Tensor
    ) -> Tensor:
        """Return logits ``(B, C)`` of embeddings ``(B, L, D)``, or of token ids ``(B, L)``.

        Args:
            inputs: Embeddings or token ids.
            attention_mask: ``(B, L)``; ``None`` means that there is no padding.
            **further: Further tensors that :meth:`classify` of the subclass takes.
        """
        is_ids = inputs.ndim == 2 and not inputs.is_floating_point()
        if not is_ids and not (inputs.ndim == 3 and inputs.is_floating_point()):
            raise ValueError(
                "inputs must be embeddings (B, L, D) or token ids (B, L), got "
                f"{inputs.dtype}, shape {tuple(inputs.shape)}"
            )
        shape = inputs.shape[:2]
        if attention_mask is not None and attention_mask.shape != shape:
            raise ValueError(
                f"attention_mask must have shape {tuple(shape)}, got {tuple(attention_mask.shape)}"
            )
        if self.max_tokens is not None and shape[1] > self.max_tokens:
            raise ValueError(
                f"inputs must have at most {self.max_tokens} tokens, as many as the network has "
                f"positions, got {shape[1]}; truncate texts, as "
                f"TextClassification(max_tokens={self.max_tokens}) does"
            )
        classify: Callable[..., Tensor] = self.classify
        return classify(self.embed(inputs) if is_ids else inputs, attention_mask, **further)


def token_embedding(vocab_size: int | None, embedding_size: int) -> nn.Embedding | None:
    """Return a table of token embeddings, or ``None`` for a network that takes embeddings only.

    Args:
        vocab_size: Number of token ids; ``None`` for no table.
        embedding_size: Size of an embedding.

    Raises:
        ValueError: If a size is below 1.
    """
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be at least 1 or None, got {vocab_size}")
    if embedding_size < 1:
        raise ValueError(f"embedding_size must be at least 1, got {embedding_size}")
    return None if vocab_size is None else nn.Embedding(vocab_size, embedding_size)


def embedded_ids(table: nn.Module | None, ids: Tensor) -> Tensor:
    """Return embeddings ``(B, L, D)`` of token ids ``(B, L)``.

    Args:
        table: The embeddings.
        ids: Token ids, long.

    Raises:
        ValueError: If there is no table, or on a CPU, if an id is not in the table.
    """
    if table is None:
        raise ValueError(
            "inputs must be embeddings (B, L, D) for a network without token embeddings, got "
            f"token ids {tuple(ids.shape)}; give the network vocab_size"
        )
    # a comparison on an accelerator would wait for it; a CPU would raise without naming the cause
    size = getattr(table, "num_embeddings", None)
    if size is not None and ids.device.type == "cpu" and ids.numel() and not is_traced(ids):
        low, high = (int(each) for each in ids.aminmax())
        if low < 0 or high >= size:
            raise ValueError(
                f"inputs must be token ids in 0..{size - 1} (vocab_size={size}), got values "
                f"from {low} to {high}; give the network the vocab_size of the tokenizer"
            )
    embeddings: Tensor = table(ids)
    return embeddings
