"""A linear model."""

from torch import Tensor, nn

from pear_lightning.nn.in_features import given_in_features


class LinearModel(nn.Linear):
    """Linear model: logistic regression with a cross-entropy loss, the PEAR paper's baseline.

    Its gradient equals its weight for every row, so gradient explainers can be checked on it by
    hand.

    Shapes:
        - ``inputs``: ``(B, in_features)``
        - ``logits``: ``(B, out_features)``

    Args:
        in_features: Number of features of a row. It can be left out in configurations of the
            command line only, which take it from the data.
        out_features: Number of classes or of predicted values.

    Raises:
        ValueError: If a number is below 1, or the inputs have a different number of features.

    Example:
        >>> import torch
        >>> LinearModel(8)(torch.rand(32, 8)).shape
        torch.Size([32, 2])
    """

    def __init__(self, in_features: int | None = None, out_features: int = 2) -> None:
        in_features = given_in_features(in_features)
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"in_features and out_features must be at least 1, got {in_features} and "
                f"{out_features}"
            )
        super().__init__(in_features, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits ``(B, out_features)`` of rows ``(B, in_features)``."""
        if inputs.shape[-1] != self.in_features:
            raise ValueError(
                f"inputs must have shape (B, {self.in_features}), got {tuple(inputs.shape)}"
            )
        return super().forward(inputs)
