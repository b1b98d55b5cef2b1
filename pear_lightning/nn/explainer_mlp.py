"""A multilayer perceptron that explains rows of tables."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.rebuilding import Rebuildable
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.features_of_columns import features_of_columns
from pear_lightning.nn.activations import Activation
from pear_lightning.nn.mlp import MLP
from pear_lightning.nn.score_scale import ScoreScale, check_scale, scaled_scores
from pear_lightning.nn.side_values import checked_side


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
        times_inputs: Whether the network returns a coefficient of each column, and the score of a
            feature is the sum of its columns times their coefficients. A column that is 0 has no
            share then, so removed columns must become 0, as they do by default. The network learns
            less, because the effect of a column grows with its distance from 0 in most models.
        groups: Groups of columns that form one feature, as in
            :class:`~pear_lightning.masking.ColumnMasker`; only with ``times_inputs``.

    Raises:
        ValueError: If an argument is out of range, or the groups do not fit.

    Shapes:
        - inputs: ``(B, in_features)``
        - target: ``(B,)`` long
        - side: ``(B, n, side_channels)``
        - output: ``(B, n)``, or ``(B, n, C)`` with ``per_class``; float32 or better

    Example:
        >>> ExplainerMLP(7, num_classes=3, per_class=True)(torch.rand(4, 7)).shape
        torch.Size([4, 7, 3])
    """

    feature_of: Tensor

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
        times_inputs: bool = False,
        groups: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        check_count("side_channels", side_channels, least=0)
        check_scale(scale)
        if per_class and num_classes is None:
            raise ValueError("num_classes must be given with per_class, got None")
        if groups is not None and not times_inputs:
            raise ValueError("groups must be None without times_inputs, got groups")
        self.in_features = in_features
        feature_of = features_of_columns(in_features, groups)
        in_groups = max(feature_of) + 1
        self.n_features = n_features or (in_groups if times_inputs else in_features)
        if times_inputs and self.n_features != in_groups:
            raise ValueError(
                f"n_features must be the number of features of {in_features} columns in these "
                f"groups, {in_groups}, with times_inputs, got {n_features}"
            )
        self.times_inputs = times_inputs
        self.groups = None if groups is None else [sorted(group) for group in groups]
        self.register_buffer("feature_of", torch.tensor(feature_of), persistent=False)
        self.hidden_features, self.activation = tuple(hidden_features), activation
        self.dropout, self.num_classes, self.per_class = dropout, num_classes, per_class
        self.side_channels, self.scale = side_channels, scale
        widths = in_features + side_channels * self.n_features
        if self.uses_target:
            widths += int(num_classes or 0)
        n_scores = in_features if times_inputs else self.n_features
        n_scores *= int(num_classes or 0) if per_class else 1
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
            parts.append(checked_side(side, self.side_channels).to(inputs).flatten(1))
        if self.uses_target:
            if target is None:
                raise ValueError("target must be given, because the class is an input, got None")
            parts.append(F.one_hot(target, int(self.num_classes or 0)).to(inputs))
        scores: Tensor = self.mlp(torch.cat(parts, dim=1))
        if self.per_class:
            scores = scores.unflatten(1, (-1, int(self.num_classes or 0)))
        if self.times_inputs:
            shares = scores * (inputs[..., None] if self.per_class else inputs)
            sums = shares.new_zeros(len(shares), self.n_features, *shares.shape[2:])
            scores = sums.index_add(1, self.feature_of, shares)
        return scaled_scores(scores, self.scale)
