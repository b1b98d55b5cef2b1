"""The right-reasons loss: features that are known to be irrelevant must not matter."""

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Explainer
from pear_lightning.functional.validation import (
    at_least_float32,
    check_attributions,
    check_choice,
    is_traced,
)
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.masks import (
    aligned_mask,
    as_masked,
    element_mask,
    marked_features,
)
from pear_lightning.losses.mean_over_ranks import mean_over_ranks, number_of_ranks
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName
from pear_lightning.scoring.scorer import Forward

Norm = Literal["squared_l2", "l1", "l2", "cosine"]
Reduction = Literal["mean", "sum", "mask"]
Channels = Literal["separate", "sum"]


def right_reasons_loss(
    attributions: Tensor,
    mask: Tensor,
    norm: Norm = "squared_l2",
    reduction: Reduction = "mean",
    channels: Channels = "separate",
) -> Tensor:
    """Return how large attributions are where the mask says that they should be 0.

    See :class:`RightReasonsLoss`.

    Args:
        attributions: ``(B, *S)``.
        mask: ``(B, *S)``, or 1 in dimensions that it is broadcast over; 1 is irrelevant.
        norm: Size of the masked attributions of a row.
        reduction: How rows are put together.
        channels: Whether attributions are summed first over the dimensions that the mask is
            broadcast over.

    Returns:
        Scalar.

    Example:
        >>> attributions, mask = torch.tensor([[3.0, 4.0, 5.0]]), torch.tensor([[1, 1, 0]])
        >>> right_reasons_loss(attributions, mask).item()
        25.0
        >>> right_reasons_loss(attributions, mask, norm="l2").item()
        5.0
    """
    check_attributions("attributions", attributions)
    mask = aligned_mask(mask, attributions)
    values = at_least_float32(attributions)
    values = as_masked(values, mask) if channels == "sum" else values
    marked = mask.expand(values.shape)
    rows = _norm_of_rows(values.flatten(1), marked.flatten(1), norm)
    if reduction == "mask":
        return rows.sum() / marked.sum().clamp(min=1)
    return rows.mean() if reduction == "mean" else rows.sum()


def _norm_of_rows(values: Tensor, marked: Tensor, norm: Norm) -> Tensor:
    """Return the size ``(B,)`` of values ``(B, n)`` where they are marked."""
    wrong = values.where(marked, 0)
    if norm == "squared_l2":
        return wrong.square().sum(dim=1)
    if norm == "l1":
        return wrong.abs().sum(dim=1)
    if norm == "l2":
        return _length(wrong)
    # small attributions count as large ones do: only their direction matters
    scale = _largest(values)
    unit = values.abs() / scale
    lengths = _length(unit) * marked.sum(dim=1).to(values.dtype).sqrt()
    similar: Tensor = (unit * marked).sum(dim=1) / torch.where(lengths > 0, lengths, 1)
    return similar


def _length(rows: Tensor) -> Tensor:
    """Return the L2 norm ``(B,)`` of rows; a row of zeros has a gradient of zero."""
    scale = _largest(rows)  # so that squares of small values do not vanish
    squares = (rows / scale).square().sum(dim=1)
    lengths = torch.where(squares > 0, squares, 1).sqrt() * scale.squeeze(1)
    return torch.where(squares > 0, lengths, 0)


def _largest(rows: Tensor) -> Tensor:
    """Return the largest absolute value of each row, ``(B, 1)``, and 1 for a row of zeros."""
    largest = rows.detach().abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest, 1)


class RightReasonsLoss(AttributionLoss):
    r"""The size of the input gradient on features that are annotated as irrelevant.

    .. math:: R = \frac{1}{N} \sum_n \sum_d \left( A_{nd} \frac{\partial}{\partial x_{nd}}
              \sum_k \log \hat p_{nk} \right)^2

    A is 1 where a feature must not matter. A row of zeros is not annotated and costs nothing; a
    batch of such rows is not explained at all. The differentiated scalar is the sum of the
    log-probabilities of **all** classes: one gradient for a sample, whatever its class. Most later
    losses of this name differentiate another scalar; ``output`` gets theirs:

    ====================== ====================================================================
    ``"sum_log_prob"``     the paper's
    ``"log_prob"``         the label's log-likelihood (CDEP's repository, R4's "R3")
    ``"max_log_prob"``     the log-probability of the predicted class
    ``"max_logit"``        its logit (Reveal2Revise)
    ``"logit"``            the label's logit (Reveal2Revise)
    ``"sum_logit"``        the sum of the logits (robust_mlx)
    ====================== ====================================================================

    The sum of the *probabilities* is refused: it is 1 always, and its gradient 0.

    With logits z, their Jacobian J and K classes the explained gradient is
    :math:`J^\top (1 - K \hat p)`. It is 0 at the uniform prediction whatever J is. So R also falls
    when the model becomes **less certain**: look at calibration or entropy beside it. And a
    network that starts near uniform starts with R near 0, whatever it will look at later.

    *Weight.* R depends on the scale of the inputs: for inputs divided by s the same penalty needs
    the weight divided by s². λ = 1000 on pixels 0..255 is 0.0154 on [0, 1], and 0.0615 on [-1, 1].
    With cross-entropy and R both averaged over the batch (the default here) or both summed, λ is
    the paper's; where cross-entropy is averaged and R is summed it must be divided by the
    batch size. The paper's penalty of the weights, λ₂ Σ θ², belongs to the optimiser: a
    ``weight_decay`` of Adam (not AdamW) of 2 λ₂ / N.

    Args:
        norm: Size of a row's masked gradient: ``"squared_l2"`` (the paper's), ``"l1"``, ``"l2"``
            (not squared) or ``"cosine"``, the cosine of the absolute gradient and the mask, which
            does not depend on the scale.
        reduction: ``"mean"`` over the rows of the batch, annotated or not; ``"sum"`` (the
            paper's); or ``"mask"``, divided by the number of ones in the mask (at least 1). On
            several devices :meth:`of_model` divides the sum over all of them by the ones of all,
            so that every rank computes R of the whole batch, and all of them must call it;
            ``"sum"`` is each rank's own, of which DDP averages the gradients, so that with n
            devices it is the sum over the whole batch divided by n.
        channels: ``"separate"``, or ``"sum"`` to sum the gradient first over the dimensions that
            the mask is broadcast over, in which channels may cancel.
        output: Scalar that is explained, a name or a function of logits ``(N, C)`` and target.
        explainers: Explainers by name; ``None`` is the gradient. The loss is averaged over them.

    Raises:
        ValueError: If a name is not known; when called, if the mask is not made of zeros and
            ones or does not fit the inputs.

    Warns:
        UserWarning: Once, if a row marks every feature: that asks for a model without any
            gradient there ("certainty regularisation"), not for other reasons.

    Shapes:
        - attributions: ``(B, *S)``
        - mask: ``(B, *S)``, with 1 in dimensions that it is broadcast over; ``(B, H, W)`` for
          images, ``(B, L)`` for embeddings ``(B, L, D)``
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> logits, reasons = RightReasonsLoss().of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(logits, target) + 10 * reasons

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons: Training Differentiable Models by
        Constraining their Explanations*, IJCAI 2017, arXiv 1703.03717, the loss of section 2.
        ``"l2"`` with ``"sum_logit"`` is the loss of vihari/robust_mlx, ``"cosine"`` with
        ``channels="sum"`` that of maxdreyer/Reveal2Revise, ``channels="sum"`` with ``"log_prob"``
        and ``reduction="sum"`` the RRR of laura-rieger/deep-explanation-penalization, up to the
        factor 1/N² of the averaged loss that it differentiates.

    Deviations from the paper:
        A mean over the batch instead of a sum, as cross-entropy is in PyTorch. The model is
        explained in eval mode.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self,
        norm: Norm = "squared_l2",
        reduction: Reduction = "mean",
        *,
        channels: Channels = "separate",
        output: OutputName | OutputFunction = "sum_log_prob",
        explainers: Mapping[str, Explainer] | None = None,
    ) -> None:
        check_choice("norm", norm, ("squared_l2", "l1", "l2", "cosine"))
        check_choice("reduction", reduction, ("mean", "sum", "mask"))
        check_choice("channels", channels, ("separate", "sum"))
        super().__init__(explainers, output)
        self.norm: Norm = norm
        self.reduction: Reduction = reduction
        self.channels: Channels = channels
        self.warns_of_full_masks = True

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss.

        Args:
            *attributions: Attributions ``(B, *S)`` of each explainer.
            mask: 1 marks what must not matter; ``None`` marks nothing.

        Returns:
            Scalar.

        Raises:
            ValueError: If shapes do not fit, the mask is not made of zeros and ones, or
                attributions hold NaN or Inf.
        """
        if mask is None:
            return self.nothing(attributions[0])
        losses = [
            right_reasons_loss(each, mask, self.norm, self.reduction, self.channels)
            for each in attributions
        ]
        self._warn_of_full_rows(mask)
        return torch.stack(losses).mean()

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """See :meth:`AttributionLoss.of_model`; ``"mask"`` divides by the ones of all ranks."""
        batch = Batch.of(batch)
        logits, loss = super().of_model(forward, batch, points_per_pass=points_per_pass)
        if self.reduction == "mask" and number_of_ranks() > 1:
            loss = self._over_all_ranks(loss, batch)
        return logits, loss

    def _over_all_ranks(self, loss: Tensor, batch: Batch) -> Tensor:
        """Return the ratio of the sums of all ranks, from the ratio of this one.

        The mean of the ranks' ratios is another number where some have more ones than others.
        """
        ones = torch.zeros_like(loss, requires_grad=False)
        mask = element_mask(batch, self.mask_features)
        if mask is not None:
            shape = mask.shape if self.channels == "sum" else batch.inputs.shape
            ones = mask.expand(shape).sum().to(loss.dtype)
        sums = torch.stack([loss * ones.clamp(min=1), ones])
        total, n = mean_over_ranks(sums).unbind()
        return total / n.clamp(min=1 / number_of_ranks())

    def _warn_of_full_rows(self, mask: Tensor) -> None:
        if not self.warns_of_full_masks or is_traced(mask):
            return
        full = int((marked_features(mask) == mask[:1].numel()).sum())
        if full:
            self.warns_of_full_masks = False  # once is enough
            warnings.warn(
                f"{full} of {len(mask)} masks of a batch mark every feature as irrelevant: that "
                "punishes any certainty of the model there, and tells it no other reason. Mark the "
                "features that must not matter, and leave the row 0 where that is not known",
                stacklevel=2,
            )

    def extra_repr(self) -> str:
        """Name the settings."""
        return (
            f"norm={self.norm!r}, reduction={self.reduction!r}, channels={self.channels!r}, "
            f"output={self.output!r}"
        )
