"""A recurrent network (LSTM or GRU) for texts and other sequences."""

from typing import Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from pear_lightning.nn.text_classifier import TextClassifier, embedded_ids, token_embedding
from pear_lightning.nn.token_pooling import mean_of_tokens

_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentClassifier(TextClassifier):
    """LSTM or GRU that classifies token ids, embeddings or other sequences of vectors.

    Padding does not change the logits, on either side: tokens are moved to the front of each
    sequence, and the backward direction starts at the last token. No kernel of cuDNN has a second
    derivative for recurrent layers, so explanations that train the network do not use cuDNN. In
    mixed precision on a CPU, recurrent layers run in the precision of their weights.

    Shapes:
        - ``inputs``: ``(B, L, embedding_size)`` float, or ``(B, L)`` long token ids
        - ``attention_mask``: ``(B, L)``, 1 for a token and 0 for padding
        - ``logits``: ``(B, num_classes)``

    Args:
        vocab_size: Number of token ids. ``None`` builds a network that takes vectors only, such as
            the steps of a time series.
        num_classes: Number of classes.
        embedding_size: Size of an embedding, or of the vectors of a sequence.
        hidden_size: Size of the state of each direction.
        num_layers: Number of recurrent layers.
        cell: ``"lstm"`` or ``"gru"``.
        bidirectional: Whether each layer also reads the sequence backwards.
        pooling: ``"last"``, the final state of each direction, or ``"mean"`` over the tokens.
        dropout: Share of the values dropped in training before each layer and before the linear
            layer, from 0 to below 1.

    Raises:
        ValueError: If an argument is out of range; in ``forward``, if a shape does not fit, or the
            inputs are token ids and ``vocab_size`` was not given.

    Example:
        >>> model = RecurrentClassifier(20, num_classes=3, cell="gru", bidirectional=True)
        >>> right, left = torch.tensor([[7, 9, 4, 0]]), torch.tensor([[0, 7, 9, 4]])
        >>> bool(torch.allclose(model(right, right != 0), model(left, left != 0)))
        True
    """

    def __init__(
        self,
        vocab_size: int | None = None,
        num_classes: int = 2,
        embedding_size: int = 100,
        hidden_size: int = 128,
        num_layers: int = 1,
        cell: Literal["lstm", "gru"] = "lstm",
        bidirectional: bool = False,
        pooling: Literal["last", "mean"] = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "num_classes": num_classes}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if cell not in _CELLS:
            raise ValueError(f"cell must be one of {list(_CELLS)}, got {cell!r}")
        if pooling not in ("last", "mean"):
            raise ValueError(f"pooling must be 'last' or 'mean', got {pooling!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.embedding = token_embedding(vocab_size, embedding_size)
        directions = 2 if bidirectional else 1
        widths = [embedding_size] + [directions * hidden_size] * (num_layers - 1)
        # one module per direction, because nn.LSTM(bidirectional=True) starts in the padding
        self.layers = nn.ModuleList(
            nn.ModuleList(
                _CELLS[cell](width, hidden_size, batch_first=True) for _ in range(directions)
            )
            for width in widths
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(directions * hidden_size, num_classes)
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
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
        mask = None if attention_mask is None else attention_mask != 0
        hidden, backwards = embeddings, None
        if mask is not None:
            order = mask.int().argsort(dim=1, descending=True, stable=True)  # tokens to the front
            hidden, mask = _in_order(hidden, order), mask.gather(1, order)
            backwards = _backwards(mask)
        for directions in self.layers:
            hidden = self._layer(directions, self.dropout(hidden), backwards)  # type: ignore[arg-type]
        logits: Tensor = self.head(self.dropout(self._pooled(hidden, mask)))
        return logits

    def _layer(self, directions: nn.ModuleList, hidden: Tensor, backwards: Tensor | None) -> Tensor:
        states = [_states(directions[0], hidden)]
        if len(directions) == 2:
            backward = _states(directions[1], _reversed(hidden, backwards))
            states.append(_reversed(backward, backwards))
        return torch.cat(states, dim=2)

    def _pooled(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        if self.pooling == "mean":
            return mean_of_tokens(hidden, mask)
        # the forward direction ends at the last token, the backward direction at the first
        forward, backward = hidden[..., : self.hidden_size], hidden[..., self.hidden_size :]
        if mask is None:
            return torch.cat([forward[:, -1], backward[:, 0]], dim=1)
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        rows = torch.arange(len(hidden), device=hidden.device)
        return torch.cat([forward[rows, last], backward[:, 0]], dim=1)


def _states(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Run a recurrent layer; on a CPU in the precision of its weights.

    Only some CPUs can run an LSTM in bfloat16, which autocast would choose; on others, torch raises
    an error.
    """
    if hidden.is_cpu and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return _states(layer, hidden.to(next(layer.parameters()).dtype))
    states: Tensor = layer(hidden)[0]
    return states


def _in_order(hidden: Tensor, order: Tensor) -> Tensor:
    return hidden.gather(1, order[..., None].expand_as(hidden))


def _backwards(mask: Tensor) -> Tensor:
    """Return the order ``(B, L)`` that reverses the tokens at the front and leaves the padding."""
    places = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)


def _reversed(hidden: Tensor, backwards: Tensor | None) -> Tensor:
    return hidden.flip(1) if backwards is None else _in_order(hidden, backwards)
