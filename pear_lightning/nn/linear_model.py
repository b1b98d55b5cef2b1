"""A linear model."""

from torch import Tensor, nn


class LinearModel(nn.Linear):
    """A linear model: logistic regression with a cross-entropy loss, the PEAR paper's baseline.

    Its gradient is its weight for every row, so all gradient explainers can be checked on it by
    hand.

    Shapes:
        - ``inputs``: ``(B, in_features)``
        - ``logits``: ``(B, out_features)``

    Args:
        in_features: Number of features of a row.
        out_features: Number of classes, or of values to predict.

    Raises:
        ValueError: If a number is below 1, or the inputs have another number of features.

    Example:
        >>> import torch
        >>> LinearModel(8)(torch.rand(32, 8)).shape
        torch.Size([32, 2])
    """

    def __init__(self, in_features: int, out_features: int = 2) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(
                f"in_features is {in_features}, out_features is {out_features}: at least 1 of each "
                "is expected"
            )
        super().__init__(in_features, out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(B, out_features)`` of rows ``(B, in_features)``."""
        if inputs.shape[-1] != self.in_features:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}: (B, {self.in_features}) is expected"
            )
        return super().forward(inputs)
