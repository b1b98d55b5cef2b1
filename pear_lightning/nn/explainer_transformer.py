"""A transformer that explains: one score for each feature."""

from typing import Literal

import torch
from torch import Tensor, nn

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.validation import check_choice, check_count
from pear_lightning.nn.explainer_tokens import ExplainerTokens
from pear_lightning.nn.score_scale import ScoreScale, check_scale, scaled_scores
from pear_lightning.nn.side_values import checked_side
from pear_lightning.nn.token_pooling import positions_of_tokens


class ExplainerTransformer(Rebuildable, nn.Module):
    """A transformer encoder over the features of a sample, with a score for each feature.

    The features are patches, tokens or columns. Vectors of the features (and learned vectors of
    their positions) go through an encoder; a linear layer returns the scores.

    Args:
        tokens: Network that returns a vector for each feature: ``ColumnTokens``, ``PatchTokens``,
            ``TextTokens``, or ``BackboneTokens`` with a backbone as the body.
        depth: Number of encoder layers; 0 for a body that needs no further layer.
        heads: Number of attention heads; divides the length of a vector.
        feedforward: Width of the hidden layer of the feed-forward networks; ``None`` means twice
            the length of a vector.
        dropout: Dropout rate of the encoder.
        activation: ``"gelu"``, or ``"relu"`` (the paper).
        norm_first: Whether layers normalise their inputs instead of their outputs (the paper).
        num_classes: Number of classes C, for an explanation of each class or of a given one.
        per_class: Whether scores of all classes are returned, ``(B, n, C)``. Otherwise, with
            ``num_classes``, the explained class is an input.
        side_channels: Number of further values of each feature that are given as ``side``, such as
            the gradient, the effect of removing the feature alone, or the outputs of a layer.
        scale: ``"unbounded"``, ``"sigmoid"``, ``"minmax"`` or ``"softmax"`` (per sample). Scores in
            [0, 1] cannot express evidence against a class.

    Raises:
        ValueError: If an argument is out of range.

    Shapes:
        - inputs: ``(B, *S)``
        - attention_mask: ``(B, n)``, 1 for a token and 0 for padding; texts only
        - target: ``(B,)`` long
        - side: ``(B, n, side_channels)``
        - output: ``(B, n)``, or ``(B, n, C)`` with ``per_class``; float32 or better

    Example:
        >>> from pear_lightning.nn import ColumnTokens
        >>> network = ExplainerTransformer(ColumnTokens(7, dim=32), depth=1)
        >>> network(torch.rand(4, 7)).shape
        torch.Size([4, 7])

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026: 6 layers
        of width 768 with 8 heads, 1024 hidden units, ReLU, dropout 0.5 and normalised outputs.
    """

    def __init__(
        self,
        tokens: ExplainerTokens,
        depth: int = 2,
        heads: int = 4,
        feedforward: int | None = None,
        dropout: float = 0.0,
        activation: Literal["gelu", "relu"] = "gelu",
        *,
        norm_first: bool = True,
        num_classes: int | None = None,
        per_class: bool = False,
        side_channels: int = 0,
        scale: ScoreScale = "unbounded",
    ) -> None:
        super().__init__()
        check_count("depth", depth, least=0)
        check_count("side_channels", side_channels, least=0)
        check_scale(scale)
        check_choice("activation", activation, ("gelu", "relu"))
        dim = tokens.dim
        if depth and dim % heads:
            raise ValueError(f"heads must divide the length of a vector, {dim}, got {heads}")
        if per_class and num_classes is None:
            raise ValueError("num_classes must be given with per_class, got None")
        self.depth, self.heads, self.dropout, self.norm_first = depth, heads, dropout, norm_first
        self.feedforward = 2 * dim if feedforward is None else feedforward
        self.num_classes, self.per_class = num_classes, per_class
        self.side_channels, self.scale, self.activation = side_channels, scale, activation
        self.tokens = tokens
        self.positions = nn.Parameter(0.02 * torch.randn(tokens.n_tokens, dim))
        self.side = nn.Linear(side_channels, dim) if side_channels else None
        conditioned = num_classes is not None and not per_class
        self.classes = nn.Embedding(num_classes or 0, dim) if conditioned else None
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim,
                heads,
                self.feedforward,
                dropout,
                activation=activation,
                batch_first=True,
                norm_first=norm_first,
            )
            for _ in range(depth)
        )
        self.head = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, int(num_classes or 0) if per_class else 1)
        )

    @property
    def takes_ids(self) -> bool:
        """Whether inputs must be token ids."""
        return self.tokens.takes_ids

    @property
    def uses_target(self) -> bool:
        """Whether the explained class is an input."""
        return self.classes is not None

    def forward(
        self,
        inputs: Tensor,
        *,
        attention_mask: Tensor | None = None,
        target: Tensor | None = None,
        side: Tensor | None = None,
    ) -> Tensor:
        """Return the scores, ``(B, n)`` or ``(B, n, C)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            attention_mask: 1 for a token and 0 for padding, ``(B, n)``.
            target: The explained class, ``(B,)``; required if it is an input.
            side: Further values of each feature, ``(B, n, side_channels)``.

        Raises:
            ValueError: If a required argument is missing.
        """
        vectors: Tensor = self.tokens(inputs, attention_mask)
        if attention_mask is None:
            vectors = vectors + self.positions[: vectors.shape[1]]
        else:  # counted among the tokens, so that padding on either side has no effect
            vectors = vectors + self.positions[positions_of_tokens(attention_mask != 0)]
        if self.side is not None:
            vectors = vectors + self.side(checked_side(side, self.side_channels).to(vectors))
        if self.classes is not None:
            if target is None:
                raise ValueError("target must be given, because the class is an input, got None")
            vectors = vectors + self.classes(target)[:, None]
        padding = None if attention_mask is None else attention_mask == 0
        for layer in self.layers:
            vectors = layer(vectors, src_key_padding_mask=padding)
        scores = self.head(vectors)
        return scaled_scores(
            scores if self.per_class else scores[..., 0], self.scale, attention_mask
        )
