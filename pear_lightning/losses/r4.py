"""R4: bounds of the gradient on irrelevant features in a box around the input."""

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.functional.validation import check_choice, check_number
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, check_classes, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.interval_bounds import (
    BoundedScalar,
    input_gradient_bounds,
    logit_bounds,
)


class R4Loss(AnnotatedRowsLoss):
    r"""Bounds of the input gradient on irrelevant features, over a box of changes of them.

    .. math:: R = \frac{1}{N d} \sum_{n, i} |A_{ni}\, \underline g_{ni}|
              + |A_{ni}\, \overline g_{ni}|, \qquad
              \underline g_n \le \nabla_x L(f(x), y_n) \le \overline g_n
              \;\; \text{for all} \; |x - x_n| \le \epsilon A_n

    An ordinary right-reasons loss depends on the gradient at the input only, which a network can
    make small at that point alone. This loss bounds the gradient for every change of the marked
    features by up to ε. The bounds are computed by interval arithmetic, forwards and backwards
    through the layers, so no gradient is differentiated and no point is sampled: they hold for all
    inputs of the box, and are exact for ε = 0. They widen with depth and with ε. On a small network
    a step costs about as much as twenty plain steps.

    The probabilities and the gradient depend on differences of logits only. The affine layers that
    the network ends with (linear and convolutional layers, pooling by means, sums of branches) are
    therefore bounded in these differences: R does not change if a function of their inputs is added
    to all logits. If the last function is not affine, R is computed from bounds of the logits.

    ReLU, leaky ReLU, ELU, softplus, tanh and sigmoid, linear and convolutional layers, average
    pooling, 2-D max pooling, batch norm, dropout, residual sums and reshaping are supported; other
    layers raise an error that names the layer. :class:`~pear_lightning.losses.PGDR4Loss` and
    :class:`~pear_lightning.losses.RandR4Loss` evaluate points of the box instead and support all
    layers. The paper's third related method, Smooth-R3, is
    ``RightReasonsLoss(output="log_prob", explainers={"smooth_grad": SmoothGrad()})``.

    Args:
        eps: ε, half the width of the box, in units of the inputs, at least 0.
        output: Scalar that is differentiated: ``"log_prob"``, the cross-entropy up to its sign (the
            paper's), or ``"sum_log_prob"``, over all classes, as in Right for the Right Reasons.

    Raises:
        ValueError: If ``eps`` is out of range or the output is unknown; when called, if a mask is
            not made of zeros and ones or does not fit, or a label is out of range.
        NotImplementedError: When called, if a layer has no interval arithmetic; the message names
            it.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> import torch
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> _, reasons = R4Loss(eps=0.1).of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(model(inputs), target) + reasons

    References:
        Ghitu, Piratla, Wicker, *Model Guidance via Robust Feature Attribution*, TMLR 2025; the
        elision of the last layer: Gowal et al., *On the Effectiveness of Interval Bound Propagation
        for Training Verifiably Robust Models*, 2018, arXiv 1810.12715.

    Deviations from the paper:
        The last affine layers are elided. Probabilities are bounded by the margins between the
        logits, and the gradient at the input of these layers is bounded over all probabilities that
        lie between their bounds and sum to 1. These bounds are never wider than those from bounds
        of the logits, with which a function added to all logits changes R. The model is in eval
        mode and runs in float32 for any training precision.
    """

    def __init__(self, eps: float = 0.1, *, output: BoundedScalar = "log_prob") -> None:
        super().__init__()
        check_number("eps", eps)
        check_choice("output", output, ("log_prob", "sum_log_prob"))
        self.eps = eps
        self.output: BoundedScalar = output

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        rows = in_float32(rows)
        box, logits = logit_bounds(forward, rows.inputs, self.eps * rows.marks, rows.forward_kwargs)
        check_classes(logits, rows)
        with torch.autocast(rows.inputs.device.type, enabled=False):  # as forwards
            gradient = input_gradient_bounds(box, logits, rows.labels, self.output)
        size = (rows.marks * gradient.lower).abs() + (rows.marks * gradient.upper).abs()
        return None, size.sum() / rows.inputs[0].numel()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}, output={self.output!r}"
