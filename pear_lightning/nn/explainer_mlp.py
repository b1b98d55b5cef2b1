"""A multilayer perceptron that explains rows of tables."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.validation import check_count
from pear_lightning.nn.activations import Activation
from pear_lightning.nn.mlp import MLP
from pear_lightning.nn.score_scale import ScoreScale, check_scale, scaled_scores


class ExplainerMLP(Rebuildable, nn.Module):
    """A multilayer perceptron from a row of a table to a score for each feature.

    Args:
        in_features: Number of columns of a row.
        n_features: Number of features n; ``None`` means one for each column.
        hidden_features: Width of each hidden layer.
        activation: See :class:`~pear_lightning.nn.MLP`.
        dropout: Share of the hidden units dropped in training.
        num_classes: Number of classes C, for an explanation of each class or of a given one.
        per_class: Whether scores of all classes are returned, ``(B, n, C)``. Otherwise, with
            ``num_classes``, the explained class is an input.
        side_channels: Number of further values of each feature that are given as ``side``.
        scale: ``"unbounded"``, ``"sigmoid"``, ``"minmax"`` or ``"softmax"`` (per sample).

    Raises:
        ValueError: If an argument is out of range.

    Shapes:
        - inputs: ``(B, in_features)``
        - target: ``(B,)`` long
        - side: ``(B, n, side_channels)``
        - output: ``(B, n)``, or ``(B, n, C)`` with ``per_class``; float32 or better

    Example:
        >>> ExplainerMLP(7, num_classes=3, per_class=True)(torch.rand(4, 7)).shape
        torch.Size([4, 7, 3])
    """

    def __init__(
        self,
        in_features: int,
        n_features: int | None = None,
        hidden_features: Sequence[int] = (256, 256),
        activation: Activation = "gelu",
        dropout: float = 0.0,
        *,
        num_classes: int | None = None,
        per_class: bool = False,
        side_channels: int = 0,
        scale: ScoreScale = "unbounded",
    ) -> None:
        super().__init__()
        check_count("side_channels", side_channels, least=0)
        check_scale(scale)
        if per_class and num_classes is None:
            raise ValueError("num_classes must be given with per_class, got None")
        self.in_features = in_features
        self.n_features = in_features if n_features is None else n_features
        self.hidden_features, self.activation = tuple(hidden_features), activation
        self.dropout, self.num_classes, self.per_class = dropout, num_classes, per_class
        self.side_channels, self.scale = side_channels, scale
        widths = in_features + side_channels * self.n_features
        if self.uses_target:
            widths += int(num_classes or 0)
        n_scores = self.n_features * (int(num_classes or 0) if per_class else 1)
        self.mlp = MLP(widths, n_scores, self.hidden_features, activation, dropout)

    @property
    def uses_target(self) -> bool:
        """Whether the explained class is an input."""
        return self.num_classes is not None and not self.per_class

    def forward(
        self, inputs: Tensor, *, target: Tensor | None = None, side: Tensor | None = None
    ) -> Tensor:
        """Return the scores, ``(B, n)`` or ``(B, n, C)``.

        Args:
            inputs: Rows, ``(B, in_features)``.
            target: The explained class, ``(B,)``; required if it is an input.
            side: Further values of each feature, ``(B, n, side_channels)``.

        Raises:
            ValueError: If a required argument is missing, or a shape does not fit.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.in_features:
            raise ValueError(
                f"inputs must have shape (B, {self.in_features}), got {tuple(inputs.shape)}"
            )
        parts = [inputs]
        if self.side_channels:
            if side is None:
                raise ValueError(f"side must be given, (B, n, {self.side_channels}), got None")
            parts.append(side.to(inputs).flatten(1))
        if self.uses_target:
            if target is None:
                raise ValueError("target must be given, because the class is an input, got None")
            parts.append(F.one_hot(target, int(self.num_classes or 0)).to(inputs))
        scores: Tensor = self.mlp(torch.cat(parts, dim=1))
        if self.per_class:
            scores = scores.unflatten(1, (self.n_features, -1))
        return scaled_scores(scores, self.scale)
