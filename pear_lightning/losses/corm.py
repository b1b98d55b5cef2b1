"""CoRM: cross-entropy with noise on irrelevant features."""

import torch
from torch import Tensor

from pear_lightning.functional.validation import check_number
from pear_lightning.losses.perturbed_inputs_loss import PerturbedInputsLoss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward


class CoRMLoss(PerturbedInputsLoss):
    r"""Cross-entropy with Gaussian noise on irrelevant features.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f(x_n + A_n \odot \delta_n), y_n\big), \qquad
              \delta_{nd} \sim N(0, \epsilon^2)

    With weight 1 the objective is CE(x) + CE(x + A δ), which the authors train.

    Args:
        eps: ε, standard deviation of the noise, in units of the inputs, at least 0.

    Raises:
        ValueError: If ``eps`` is negative or not finite; when called, if a mask is not made of
            zeros and ones or does not fit, or a label is out of range.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> inputs, target, mask = torch.rand(8, 4), torch.randint(2, (8,)), torch.eye(8, 4)
        >>> _, loss = CoRMLoss(eps=0.5).of_model(MLP(4), (inputs, target, mask))

    References:
        Heo, Piratla, Wicker, Weller, *Use Perturbations when Learning from Explanations*, NeurIPS
        2023, arXiv 2303.06419.

    Deviations from the paper:
        Rows without annotations are not evaluated a second time.
    """

    def __init__(self, eps: float = 1.0) -> None:
        super().__init__()
        check_number("eps", eps)
        self.eps = eps

    def perturb(self, forward: Forward, rows: Batch, dtype: torch.dtype) -> Tensor:
        """Return the rows with noise on irrelevant features, ``(A, *S)``.

        Args:
            forward: Not used.
            rows: The annotated rows.
            dtype: Not used.
        """
        noise: Tensor = self.eps * torch.randn_like(rows.inputs)
        return rows.inputs + rows.marks * noise

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}"
