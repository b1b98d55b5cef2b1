"""IBP-Ex: worst-case cross-entropy over irrelevant features, bounded by intervals."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from typing_extensions import override

from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.validation import at_least_float32, check_count, check_number
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, check_classes, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.replaced_weights import in_dtype
from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.interval_bounds import logit_bounds, margin_bounds


class IBPExLoss(AnnotatedRowsLoss):
    r"""Bound on the increase of the cross-entropy when irrelevant features change.

    .. math:: R = \frac{1}{N} \sum_n \overline{\mathrm{CE}}_n - \mathrm{CE}(f(x_n), y_n), \qquad
              \overline{\mathrm{CE}}_n \ge \max_{|x - x_n| \le \epsilon A_n} \mathrm{CE}(f(x), y_n)

    The worst case is bounded by interval arithmetic: by the upper bounds of the margins
    :math:`z_k - z_{y_n}` between the logits of the other classes and the label's. With a weight
    w = 1 − α the objective CE + w R is the paper's α CE + (1 − α) worst-case CE. As an excess, R is
    0 for rows without annotations and for ε = 0, and never negative.

    A margin is bounded as one function of the inputs of the affine layers that the network ends
    with (linear and convolutional layers, pooling by means, sums of branches): R does not change if
    a function of these inputs is added to all logits. If the last function is not affine, a margin
    is bounded by the bounds of its two logits.

    The paper increases ε and decreases α from 1 during training. ``ramp_steps`` does both: over
    this number of training batches, ε and the share of R in the objective grow linearly from 0.

    The supported layers are those of :class:`~pear_lightning.losses.R4Loss`; other layers raise an
    error that names the layer.

    Args:
        eps: ε, half the width of the box, in units of the inputs, at least 0.
        ramp_steps: Number of training batches (calls with gradients enabled) until ε and the share
            of R reach their full values; 0 for no ramp. The count is part of the state. Without
            gradients, before the first of these batches, both have their full values, because it is
            these that a weight is matched to.

    Raises:
        TypeError: If ``ramp_steps`` is not an integer.
        ValueError: If a value is out of range; when called, if a mask is not made of zeros and ones
            or does not fit, or a label is out of range.
        NotImplementedError: When called, if a layer has no interval arithmetic; the message names
            it.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> logits, excess = IBPExLoss(eps=0.5).of_model(model, (inputs, target, mask))
        >>> loss = F.cross_entropy(logits, target) + 0.5 * excess

    References:
        Heo, Piratla, Wicker, Weller, *Use Perturbations when Learning from Explanations*, NeurIPS
        2023, arXiv 2303.06419; the elision of the last layer: Gowal et al., *On the Effectiveness
        of Interval Bound Propagation for Training Verifiably Robust Models*, 2018, arXiv
        1810.12715.

    Deviations from the paper:
        The last affine layers are elided, which never makes the worst case larger than the lower
        bound of the label's logit against the upper bounds of all others; with these, a function
        added to all logits changes R. R is the excess of the worst case instead of the worst case,
        with the same objective for w = 1 − α. Both ramps have the same length. Both terms of R are
        computed with the model in eval mode, in float32 for any training precision.
    """

    default_weight: ClassVar[float] = 0.5

    steps: Tensor

    def __init__(self, eps: float = 0.1, *, ramp_steps: int = 0) -> None:
        super().__init__()
        check_number("eps", eps)
        check_count("ramp_steps", ramp_steps, least=0)
        self.eps = eps
        self.ramp_steps = ramp_steps
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @property
    def ramp(self) -> float:
        """Share of ε, and of R in the objective, that is in effect, from 0 to 1."""
        return min(1.0, self.steps.item() / self.ramp_steps) if self.ramp_steps else 1.0

    @override
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        if self.ramp_steps and torch.is_grad_enabled():
            self.steps += 1
        return super().of_model(forward, batch, points_per_pass=points_per_pass)

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        rows = in_float32(rows)
        forward = in_dtype(forward, rows.inputs.dtype)
        before = not torch.is_grad_enabled() and not self.steps
        ramp = 1.0 if before else self.ramp
        _, bounds = logit_bounds(
            forward, rows.inputs, ramp * self.eps * rows.marks, rows.forward_kwargs
        )
        check_classes(bounds, rows)
        with torch.autocast(rows.inputs.device.type, enabled=False):  # as for the bounds
            worst = margin_bounds(bounds, rows.labels).upper
            logits, _ = explain_batch(forward, rows, [])
        at_inputs = F.cross_entropy(at_least_float32(logits), rows.labels, reduction="sum")
        excess = F.cross_entropy(worst, rows.labels, reduction="sum") - at_inputs
        return logits, ramp * excess

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}, ramp_steps={self.ramp_steps}"
