"""Right for Better Reasons (RBR) with the identity instead of the Hessian."""

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.parameter_influence import parameter_influence
from pear_lightning.scoring.replaced_weights import in_dtype
from pear_lightning.scoring.scorer import Forward


class RBRIdentityHessianLoss(AnnotatedRowsLoss):
    r"""Influence of irrelevant features on the weights, times their input gradient.

    .. math:: R = \frac{1}{N} \sum_n \sum_d \left( A_{nd}\; i_{nd}\;
              \frac{\partial}{\partial x_{nd}} \sum_k \log \hat p_{nk} \right)^2, \qquad
              i_n = \nabla_x \sum_j \frac{\partial}{\partial \theta_j}
              \mathrm{CE}(f_\theta(x_n), y_n)

    Right for Better Reasons penalises the influence of changing a feature,
    :math:`-\nabla_x \nabla_\theta L \cdot H^{-1} \nabla_\theta L`. This is the form of its public
    implementation, in which H is the identity and i is summed over **all** parameters. The loss is
    a product of two gradients, of third order in training: it takes several times the memory and
    time of :class:`~pear_lightning.losses.RightReasonsLoss`. Its values are small if either
    gradient is small, so weights are large: the public implementation uses 1e5 to 1e6 for a
    cross-entropy averaged over the N rows of a batch and R summed over them; divide these by N
    here.

    The influence is a derivative of torch.func, which cannot differentiate models with full
    backward hooks, old-style autograd Functions, non-reentrant checkpointing in eval mode, or
    writes to buffers in their forward pass.

    Raises:
        RuntimeError: When called, if torch.func cannot differentiate the model.
        ValueError: When called, if a mask is not made of zeros and ones or does not fit, a label is
            out of range, or the model is not a module.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> logits, reasons = RBRIdentityHessianLoss().of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(logits, target) + 400 * reasons

    References:
        Shao, Skryagin, Stammer, Schramowski, Kersting, *Right for Better Reasons: Training
        Differentiable Models by Constraining their Influence Functions*, AAAI 2021, in the form of
        Friedrich et al., *A typology for exploring the mitigation of shortcut behaviour*, Nature
        Machine Intelligence 2023.

    Deviations from the paper:
        The identity replaces H, and i is summed over the parameters, as above. The parameter
        gradient is that of each sample's own loss, so that no sample's value depends on the batch.
        The model is in eval mode and runs in float32 for any training precision.
    """

    @property
    def differentiates_gradients(self) -> bool:
        """Whether training takes derivatives of gradients: yes."""
        return True

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        rows = in_float32(rows)
        forward = in_dtype(forward, rows.inputs.dtype)
        with torch.autocast(rows.inputs.device.type, enabled=False):
            logits, (gradient,) = explain_batch(forward, rows, [Gradient()], output="sum_log_prob")
            influence = parameter_influence(forward, rows)
        size = (rows.marks * influence * gradient).square().sum()
        return logits, size
