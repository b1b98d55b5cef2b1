"""Double backpropagation: a penalty of the input gradient."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pear_lightning.explainers import Explainer
from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class DoubleBackpropagationLoss(AttributionLoss):
    r"""Squared input gradient of the task loss (input-gradient regularisation).

    .. math:: R = \frac{1}{N} \sum_n \left\| \nabla_x \mathrm{CE}(f(x_n), y_n) \right\|_2^2

    It needs no annotations: it equals :class:`~pear_lightning.losses.RightReasonsLoss` of the
    label's scalar with every feature marked. It makes the model smooth around the data and does not
    depend on which features are right. As for that loss, inputs divided by s need the weight
    divided by s².

    Args:
        output: Scalar that is differentiated: ``"log_prob"``, the cross-entropy up to its sign;
            ``"sum_log_prob"`` is the certainty regularisation of Right for the Right Reasons.
        explainers: Explainers by name; ``None`` means the gradient. The loss is averaged over them.

    Raises:
        ValueError: If the output is unknown; when called, if attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``
        - output: a scalar, float32 or better

    Example:
        >>> DoubleBackpropagationLoss()(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).item()
        12.5

    References:
        Drucker, LeCun, *Improving generalization performance using double backpropagation*, IEEE
        Transactions on Neural Networks, 1992. Ross, Doshi-Velez, *Improving the adversarial
        robustness and interpretability of deep neural networks by regularizing their input
        gradients*, AAAI 2018, arXiv 1711.09404.
    """

    def __init__(
        self,
        *,
        output: OutputName | OutputFunction = "log_prob",
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
    ) -> None:
        super().__init__(explainers, output)

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Not used.
        """
        for each in attributions:
            check_attributions("attributions", each)
        squares = [at_least_float32(each).flatten(1).square().sum(dim=1) for each in attributions]
        return torch.stack(squares).mean()
