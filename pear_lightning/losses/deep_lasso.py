"""The penalty of Deep Lasso."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.validation import at_least_float32, check_attributions, check_number
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.mean_over_ranks import mean_over_ranks
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward


def deep_lasso_loss(attributions: Tensor, eps: float = 1e-8) -> Tensor:
    """Return the Deep Lasso penalty, a scalar; see :class:`DeepLassoLoss`.

    The penalty sums, over the features, the norm of the loss gradient over the rows.

    Args:
        attributions: Gradient of each row's own loss at its inputs, ``(B, *S)``.
        eps: Added under the root.
    """
    return _group_norms(_squares(attributions), eps)


def _squares(attributions: Tensor) -> Tensor:
    """Return the sum over the rows of the squared gradients of L, ``(n,)``."""
    check_attributions("attributions", attributions)
    # L is a mean over the batch, so its gradient at a row is 1/B of that of the row's own loss
    gradients = at_least_float32(attributions).flatten(1) / len(attributions)
    return gradients.square().sum(dim=0)


def _group_norms(squares: Tensor, eps: float) -> Tensor:
    return torch.sqrt(squares + eps).sum()


class DeepLassoLoss(AttributionLoss):
    r"""Group lasso of the gradient of the task loss, which penalises the number of used features.

    .. math:: R = \sum_j \sqrt{\sum_k \left(\frac{\partial L}{\partial x_{kj}}\right)^2 + \epsilon},
              \qquad L = \frac1B \sum_k \ell_k

    The norm of a column is taken over the rows of the batch, so this is a property of the batch and
    not a mean over its rows. The norm is reduced to 0 as a whole, which makes the model ignore a
    feature for all rows. It does not depend on the sign of the gradient.

    In training on several devices, the norm is taken over the rows of all of them, so that every
    rank computes R of the whole batch. The norm of a mean gradient falls with the number of rows,
    about as :math:`1 / \sqrt{B}`, and gradient accumulation averages the penalties of the
    micro-batches: with m of them, R is up to :math:`\sqrt{m}` times that of the whole batch. The
    same holds for an R of a part of the rows (``rows`` of a module or callback). Lower the weight
    by this factor to get about the same penalty.

    Args:
        eps: Added under the root, so that the gradient of a column of zeros is zero.

    Raises:
        ValueError: If ``eps`` is not above 0 and finite, or attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``, the gradients of ``ℓ_k`` at ``x_k`` up to their sign, as
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
        learning.* NeurIPS 2023 Datasets and Benchmarks, arXiv 2311.05877; the epsilon is taken from
        vcherepanova/tabular-feature-selection.
    """

    explains_task_loss: ClassVar[bool] = True
    trains_half_weights: ClassVar[bool] = False
    default_weight: ClassVar[float] = 0.1

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__(output="log_prob")
        check_number("eps", eps)
        if not eps:
            raise ValueError(f"eps must be above 0, got {eps}")
        self.eps = eps

    @property
    @override
    def couples_rows(self) -> bool:
        """Yes: the norm of a column is that of a mean gradient, which falls with the rows."""
        return True

    def task_weight(self, weight: float) -> float:
        """Return the weight of the task loss, ``1 − a``.

        Args:
            weight: a.

        Raises:
            ValueError: If a is not in [0, 1].
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must lie in [0, 1], got {weight}")
        return 1 - weight

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Gradient of each row's own loss at its inputs, ``(B, *S)``.
            mask: Not used.
        """
        (gradients,) = attributions
        squares, n_ranks = _squares(gradients), self.ranks
        # L is a mean over the rows of all ranks: its gradients are 1/n of those of a rank's mean
        return _group_norms(mean_over_ranks(squares, n_ranks) / n_ranks, self.eps)

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Return the model's logits and the loss of :meth:`gradients`."""
        logits, gradients = self.gradients(forward, Batch.of(batch))
        return logits, self(gradients)

    def gradients(self, forward: Forward, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the logits, and the gradient of each row's own task loss up to its sign.

        Args:
            forward: The model.
            batch: The samples. The loss is the cross-entropy for integer labels and the squared
                error for floating-point labels.

        Returns:
            Logits ``(B, C)`` and gradients ``(B, *S)``.
        """
        if not batch.labels.is_floating_point():
            logits, (gradients,) = explain_batch(forward, batch, [Gradient()], output="log_prob")
            return logits, gradients
        values = batch.labels.flatten()

        def squared_error(outputs: Tensor, _: Tensor) -> Tensor:
            found = at_least_float32(outputs[:, 0])  # not the values in the precision of the model
            return (found - values.to(found.dtype)).square()

        logits, (gradients,) = explain_batch(
            forward, batch.explaining(None), [Gradient()], output=squared_error
        )
        return logits, gradients

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}"
