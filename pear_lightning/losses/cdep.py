"""CDEP: a loss of the contribution of irrelevant features, by contextual decomposition."""

from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.functional.validation import check_choice
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, check_classes, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward
from pear_lightning.stand_ins.contextual_decomposition import Decomposed
from pear_lightning.stand_ins.stand_in_forward import stand_in_forward


class CDEPLoss(AnnotatedRowsLoss):
    r"""Contribution of the marked features to the logits, by contextual decomposition.

    .. math:: R = \frac{1}{N K} \sum_n \sum_k
              \frac{e^{\beta_{nk}}}{e^{\beta_{nk}} + e^{\gamma_{nk}}}, \qquad
              \beta_n + \gamma_n = f(x_n)

    The input is split into the marked features :math:`A \odot x` and the rest, and both parts go
    through the layers together (:mod:`~pear_lightning.stand_ins.contextual_decomposition`); β and γ
    are the parts of the logits. The marked features of a row are treated **as one group**,
    including their interactions. No gradient is computed: a step costs about two additional passes.

    Linear and convolutional layers, ReLU, pooling, batch norm, dropout, residual sums and
    reshaping are supported; other layers raise an error that names the layer. The loss of an
    annotated row lies between 0 and 1 and is 1/2 if both parts contribute equally, so it does not
    reach 0 in general. It also decreases if the marked part lowers the logits of all classes
    instead of being ignored: monitor the accuracy when increasing the weight. Marked features
    should not be 0 in the input, because a zero part has nothing to decompose.

    Args:
        output: ``"logit"`` is the formula of the paper. ``"centered_logit"`` compares the absolute
            values :math:`|\beta|` and :math:`|\gamma|` of the parts of the centred logits, from
            which a function added to all logits cancels. Without absolute values, the centred
            loss of two classes would be 1/2 whatever the network does: there the formula of the
            paper is sensitive to nothing but that function.

    Raises:
        ValueError: If ``output`` is neither. When called, if a mask is not made of zeros and ones
            or does not fit, or a label is out of range.
        NotImplementedError: When called, if a layer cannot be decomposed; the message names it.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> import torch
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> logits, reasons = CDEPLoss().of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(logits, target) + reasons

    References:
        Rieger, Singh, Murdoch, Yu, *Interpretations are useful: penalizing explanations to align
        neural networks with prior knowledge*, ICML 2020, arXiv 1909.13584.

    Deviations from the paper:
        The magnitudes of the parts of the centred logits are compared by default. The model is
        decomposed in eval mode, in float32 for any training precision.
    """

    def __init__(self, output: Literal["centered_logit", "logit"] = "centered_logit") -> None:
        super().__init__()
        check_choice("output", output, ("centered_logit", "logit"))
        self.output = output

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        rows = in_float32(rows)
        marked = rows.marks * rows.inputs
        logits = stand_in_forward(
            forward, Decomposed(marked, rows.inputs - marked), rows.forward_kwargs
        )
        check_classes(logits, rows)
        relevant, rest = logits.relevant, logits.rest
        if self.output == "centered_logit" and relevant.shape[1] > 1:
            centred = logits.centred()
            relevant, rest = centred.relevant.abs(), centred.rest.abs()
        shares = torch.sigmoid(relevant - rest)  # softmax of the two parts
        return logits.total, shares.mean(dim=1).sum()
