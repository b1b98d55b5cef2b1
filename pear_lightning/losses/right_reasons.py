"""The right-reasons loss: a penalty of the gradient on irrelevant features."""

import warnings
from collections.abc import Mapping, Sequence
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
from pear_lightning.losses.mean_over_ranks import mean_over_ranks
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
    """Return the size of attributions where the mask marks them as irrelevant, a scalar.

    See :class:`RightReasonsLoss`.

    Args:
        attributions: ``(B, *S)``.
        mask: ``(B, *S)``, or size 1 in broadcast dimensions; 1 marks irrelevant features.
        norm: Size of the masked attributions of a row.
        reduction: Reduction over the rows.
        channels: Whether attributions are summed first over the broadcast dimensions of the mask.

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
    """Return the size of the marked values of each row, ``(B,)``, for values ``(B, n)``."""
    wrong = values * marked.to(values.dtype)
    if norm == "squared_l2":
        return (wrong * wrong).sum(dim=1)
    if norm == "l1":
        return wrong.abs().sum(dim=1)
    if norm == "l2":
        return _length(wrong)
    # independent of the scale of the attributions: only their direction matters
    scale = _largest(values)
    unit = values.abs() / scale
    lengths = _length(unit) * marked.sum(dim=1).to(values.dtype).sqrt()
    similar: Tensor = (unit * marked).sum(dim=1) / torch.where(lengths > 0, lengths, 1)
    return similar


def _length(rows: Tensor) -> Tensor:
    """Return the L2 norm ``(B,)`` of rows; a row of zeros has a gradient of zero."""
    scale = _largest(rows)  # so that squares of small values do not underflow
    squares = (rows / scale).square().sum(dim=1)
    lengths = torch.where(squares > 0, squares, 1).sqrt() * scale.squeeze(1)
    return torch.where(squares > 0, lengths, 0)


def _largest(rows: Tensor) -> Tensor:
    """Return the largest absolute value of each row, ``(B, 1)``, or 1 for a row of zeros."""
    largest = rows.detach().abs().amax(dim=1, keepdim=True)
    return torch.where(largest > 0, largest, 1)


class RightReasonsLoss(AttributionLoss):
    r"""Size of the input gradient on features annotated as irrelevant.

    .. math:: R = \frac{1}{N} \sum_n \sum_d \left( A_{nd} \frac{\partial}{\partial x_{nd}}
              \sum_k \log \hat p_{nk} \right)^2

    A is 1 where a feature must not matter. A row of zeros is not annotated and costs nothing; a
    batch of such rows is not explained at all. The differentiated scalar is the sum of the
    log-probabilities of **all** classes, which gives one gradient per sample for any class. Most
    later losses of this name differentiate another scalar, which ``output`` selects:

    ====================== ====================================================================
    ``"sum_log_prob"``     the paper's
    ``"log_prob"``         the label's log-likelihood (CDEP's repository, R4's "R3")
    ``"max_log_prob"``     the log-probability of the predicted class
    ``"max_logit"``        its logit (Reveal2Revise)
    ``"logit"``            the label's logit (Reveal2Revise)
    ``"sum_logit"``        the sum of the logits (robust_mlx)
    ====================== ====================================================================

    The sum of the *probabilities* is refused, because it is always 1 and its gradient 0.

    With logits z, their Jacobian J and K classes the explained gradient is
    :math:`J^\top (1 - K \hat p)`. It is 0 at the uniform prediction for any J. So R also decreases
    when the model becomes **less certain**: monitor calibration or entropy as well. A network
    whose first predictions are nearly uniform starts with R near 0, for any features that it uses
    later.

    *Weight.* R depends on the scale of the inputs: for inputs divided by s the same penalty needs
    the weight divided by s². λ = 1000 on pixels 0..255 is 0.0154 on [0, 1], and 0.0615 on [-1, 1].
    If cross-entropy and R are both averaged over the batch (the default here) or both summed, λ is
    the paper's; if cross-entropy is averaged and R is summed, λ must be divided by the batch size.
    The paper's penalty of the weights, λ₂ Σ θ², belongs to the optimiser: a ``weight_decay`` of
    Adam (not AdamW) of 2 λ₂ / N.

    Args:
        norm: Size of a row's masked gradient: ``"squared_l2"`` (the paper's), ``"l1"``, ``"l2"``
            (not squared) or ``"cosine"``, the cosine of the absolute gradient and the mask, which
            does not depend on the scale.
        reduction: ``"mean"`` over the rows of the batch, annotated or not; ``"sum"`` (the
            paper's); or ``"mask"``, divided by the number of ones in the mask (at least 1). When
            training on several devices, ``"mask"`` in :meth:`of_model` divides the sum over all
            devices by the number of ones on all devices, so every rank computes R of the whole
            batch, and all ranks must call it; in evaluation, each rank divides by its own ones, as
            does each micro-batch with gradient accumulation. ``"sum"`` is computed on each rank;
            DDP averages the gradients, so with n devices it is the sum over the whole batch divided
            by n.
        channels: ``"separate"``, or ``"sum"`` to sum the gradient first over the broadcast
            dimensions of the mask, where channels may cancel.
        output: Scalar that is explained, a name or a function of logits ``(N, C)`` and target.
        explainers: Explainers by name; ``None`` means the gradient. The loss is averaged over them.

    Raises:
        ValueError: If a name is unknown; when called, if the mask is not made of zeros and ones or
            does not fit the inputs.

    Warns:
        UserWarning: Once, if a row marks every feature: this penalises any gradient of the model
            there ("certainty regularisation") instead of wrong reasons.

    Shapes:
        - attributions: ``(B, *S)``
        - mask: ``(B, *S)``, size 1 in broadcast dimensions; ``(B, H, W)`` for images, ``(B, L)``
          for embeddings ``(B, L, D)``
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
        ``"l2"`` with ``"sum_logit"`` is the loss of vihari/robust_mlx. ``"cosine"`` with
        ``channels="sum"`` is the loss of maxdreyer/Reveal2Revise. ``channels="sum"`` with
        ``"log_prob"`` and ``reduction="sum"`` is the RRR of
        laura-rieger/deep-explanation-penalization, up to the factor 1/N² of the averaged loss that
        it differentiates.

    Deviations from the paper:
        The loss is a mean over the batch instead of a sum, like cross-entropy in PyTorch. The model
        is explained in eval mode.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self,
        norm: Norm = "squared_l2",
        reduction: Reduction = "mean",
        *,
        channels: Channels = "separate",
        output: OutputName | OutputFunction = "sum_log_prob",
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
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
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: 1 marks irrelevant features; ``None`` marks none.

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
        """See :meth:`AttributionLoss.of_model`; ``"mask"`` counts the ones of all ranks."""
        batch = Batch.of(batch)
        logits, loss = super().of_model(forward, batch, points_per_pass=points_per_pass)
        if self.reduction == "mask" and self.ranks > 1:
            loss = self._over_all_ranks(loss, batch)
        return logits, loss

    def _over_all_ranks(self, loss: Tensor, batch: Batch) -> Tensor:
        """Return the ratio of the sums over all ranks, given the ratio of this rank.

        It differs from the mean of the ranks' ratios if the ranks have different numbers of ones.
        """
        ones = torch.zeros_like(loss, requires_grad=False)
        mask = element_mask(batch, self.mask_features)
        if mask is not None:
            shape = mask.shape if self.channels == "sum" else batch.inputs.shape
            ones = mask.expand(shape).sum().to(loss.dtype)
        sums = torch.stack([loss * ones.clamp(min=1), ones])
        total, n = mean_over_ranks(sums, self.ranks).unbind()
        return total / n.clamp(min=1 / self.ranks)

    def _warn_of_full_rows(self, mask: Tensor) -> None:
        if not self.warns_of_full_masks or is_traced(mask):
            return
        full = int((marked_features(mask) == mask[:1].numel()).sum())
        if full:
            self.warns_of_full_masks = False  # warn once
            warnings.warn(
                f"{full} of {len(mask)} masks of a batch mark every feature as irrelevant, which "
                "penalises any certainty of the model there instead of wrong reasons. Mark only "
                "features that must not matter, and use a row of zeros if they are unknown",
                stacklevel=2,
            )

    @property
    def reduces_rows_by(self) -> Literal["mean", "sum", "annotated"]:
        """How the loss depends on the rows of a batch, according to ``reduction``."""
        return "annotated" if self.reduction == "mask" else self.reduction

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"norm={self.norm!r}, reduction={self.reduction!r}, channels={self.channels!r}, "
            f"output={self.output!r}"
        )
