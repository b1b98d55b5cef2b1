"""The expected-gradients prior: a penalty of the contribution of irrelevant features."""

from typing import Literal

from torch import Tensor

from pear_lightning.explainers import ExpectedGradients
from pear_lightning.losses.right_reasons import Norm, Reduction, RightReasonsLoss
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class ExpectedGradientsPrior(RightReasonsLoss):
    r"""Size of the expected gradients on features annotated as irrelevant.

    .. math:: R = \frac{1}{N} \sum_n \sum_d \left| A_{nd} \, \phi_d(x_n) \right|, \qquad
              \phi_d(x) = \mathbb{E}_{x' \sim D, a \sim U(0,1)} \left[ (x_d - x'_d)
              \frac{\partial f_y}{\partial x_d} (x' + a (x - x')) \right]

    The gradient measures the response of the model to a small change; expected gradients measure
    the contribution of a feature relative to other data, so they do not vanish where the model
    saturates. The background is drawn from the training data at the start of training.

    Args:
        n_samples: Draws of a background row and a position for each sample and step. The paper
            trains with 1; more reduce the noise and cost one pass each.
        background: Rows ``(N, *S)``, or ``"train"``.
        norm: See :class:`~pear_lightning.losses.RightReasonsLoss`.
        reduction: See :class:`~pear_lightning.losses.RightReasonsLoss`.
        output: Scalar that is explained, the label's logit by default.
        seed: Seed of draws shared by all samples and steps. ``None`` draws anew.

    Raises:
        ValueError: If a value is out of range; when called, see
            :class:`~pear_lightning.losses.RightReasonsLoss`.

    Shapes:
        - attributions: ``(B, *S)``
        - mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> import torch
        >>> from pear_lightning.nn import MLP
        >>> prior = ExpectedGradientsPrior(background=torch.zeros(1, 4))
        >>> inputs, mask = torch.rand(8, 4), torch.eye(8, 4)
        >>> _, loss = prior.of_model(MLP(4), (inputs, torch.randint(2, (8,)), mask))

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee, *Improving performance of deep learning models
        with axiomatic attribution priors and expected gradients*, Nature Machine Intelligence 2021,
        arXiv 1906.10670.
    """

    def __init__(
        self,
        n_samples: int = 1,
        background: Tensor | Literal["train"] = "train",
        *,
        norm: Norm = "l1",
        reduction: Reduction = "mean",
        output: OutputName | OutputFunction = "centered_logit",
        seed: int | None = None,
    ) -> None:
        explainer = ExpectedGradients(n_samples, background, seed=seed)
        explainers = {"expected_gradients": explainer}
        super().__init__(norm, reduction, output=output, explainers=explainers)
