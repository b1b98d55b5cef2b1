"""The penalty of Deep Lasso."""

import torch
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32, check_attributions, check_number


def deep_lasso_loss(attributions: Tensor, eps: float = 1e-8) -> Tensor:
    """Return the sum over the features of the norm of the loss gradient over the rows.

    See :class:`DeepLassoLoss`.

    Args:
        attributions: Gradient of each row's own loss at its inputs, ``(B, *S)``.
        eps: Added under the root.

    Returns:
        Scalar.
    """
    check_attributions("attributions", attributions)
    # L is a mean over the batch, so a row's part in its gradient is 1/B of the row's own
    gradients = at_least_float32(attributions).flatten(1) / len(attributions)
    return torch.sqrt(gradients.square().sum(dim=0) + eps).sum()


class DeepLassoLoss(nn.Module):
    r"""How many features the loss depends on: a group lasso of its gradient.

    .. math:: R = \sum_j \sqrt{\sum_k \left(\frac{\partial L}{\partial x_{kj}}\right)^2 + \epsilon},
              \qquad L = \frac1B \sum_k \ell_k

    The norm of a column is over the rows of the batch, so this is a property of the batch, not a
    mean over its rows. It is pulled to 0 as a whole, which makes the model ignore a feature for
    all rows. It does not see the sign of the gradient.

    Args:
        eps: Added under the root, which keeps the gradient of a column of zeros at zero.

    Raises:
        ValueError: If ``eps`` is not above 0 and finite, or attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``, the gradients of ``ℓ_k`` at ``x_k`` up to their sign: what
          ``explain(..., [Gradient()], output="log_prob")`` returns for cross-entropy
        - output: a scalar, float32 or better

    Example:
        >>> loss = DeepLassoLoss()
        >>> rows = torch.tensor([[3.0, 0.0], [4.0, 0.0]])  # both rows use the first feature only
        >>> round(loss(rows).item(), 3)
        2.5

    References:
        V. Cherepanova, R. Levin, G. Somepalli, J. Geiping, C. B. Bruss, A. G. Wilson, T. Goldstein,
        M. Goldblum. *A performance-driven benchmark for feature selection in tabular deep
        learning.* NeurIPS 2023 Datasets and Benchmarks, arXiv 2311.05877; the epsilon is that of
        vcherepanova/tabular-feature-selection.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        check_number("eps", eps)
        if not eps:
            raise ValueError(f"eps must be above 0, got {eps}")
        self.eps = eps

    def forward(self, attributions: Tensor) -> Tensor:
        """Return the loss.

        Args:
            attributions: Gradient of each row's own loss at its inputs, ``(B, *S)``.

        Returns:
            Scalar.
        """
        return deep_lasso_loss(attributions, self.eps)

    def extra_repr(self) -> str:
        """Name the settings."""
        return f"eps={self.eps}"
