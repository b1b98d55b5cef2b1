"""PGD-Ex: cross-entropy at adversarially changed irrelevant features."""

import torch
from torch import Tensor

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.losses.perturbed_inputs_loss import PerturbedInputsLoss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward


class PGDExLoss(PerturbedInputsLoss):
    r"""Cross-entropy at an adversarial change of irrelevant features.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f(x_n + \delta_n), y_n\big), \qquad
              \delta \leftarrow \mathrm{clamp}\big(\delta + \tfrac{\epsilon}{T} \,
              \mathrm{sign} \nabla_x \mathrm{CE}(f(x + \delta), y), \pm \epsilon A\big)

    T steps of projected gradient ascent from δ = 0. With weight 1 the objective is
    CE(x) + CE(x + δ), which the authors train. The change is computed for the model in eval mode,
    and costs T forward and backward passes of the annotated rows.

    Args:
        eps: ε, half the width of the box, in units of the inputs, at least 0.
        n_steps: T, at least 1.

    Raises:
        TypeError: If ``n_steps`` is not an integer.
        ValueError: If a value is out of range; when called, if a mask is not made of zeros and
            ones or does not fit, or a label is out of range.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> inputs, target, mask = torch.rand(8, 4), torch.randint(2, (8,)), torch.eye(8, 4)
        >>> _, loss = PGDExLoss(eps=0.5).of_model(MLP(4), (inputs, target, mask))

    References:
        Heo, Piratla, Wicker, Weller, *Use Perturbations when Learning from Explanations*, NeurIPS
        2023, arXiv 2303.06419.

    Deviations from the paper:
        Rows without annotations are not evaluated a second time.
    """

    def __init__(self, eps: float = 1.0, n_steps: int = 7) -> None:
        super().__init__()
        check_number("eps", eps)
        check_count("n_steps", n_steps)
        self.eps = eps
        self.n_steps = n_steps

    def perturb(self, forward: Forward, rows: Batch, dtype: torch.dtype) -> Tensor:
        """Return the rows with irrelevant features moved towards a larger loss, ``(A, *S)``.

        Args:
            forward: The model.
            rows: The annotated rows.
            dtype: Dtype of the model's inputs.
        """
        bound = self.eps * rows.marks
        change = torch.zeros_like(rows.inputs)
        with torch.no_grad():
            for _ in range(self.n_steps):
                points = rows.with_inputs((rows.inputs + change).to(dtype))
                _, (gradient,) = explain_batch(forward, points, [Gradient()], output="log_prob")
                change = change - self.eps / self.n_steps * gradient.to(change).sign()
                change = change.clamp(-bound, bound)
        return rows.inputs + change

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}, n_steps={self.n_steps}"
