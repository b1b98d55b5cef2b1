"""PGD-R4: the masked gradient at the worst point of a box found by gradient ascent."""

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.gradients import gradient_of
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.replaced_weights import in_dtype
from pear_lightning.scoring.scorer import Forward


class PGDR4Loss(AnnotatedRowsLoss):
    r"""Masked input gradient at the point of a box where a search finds it largest.

    .. math:: R = \frac{1}{N} \sum_n \sum_d |A_{nd}\, g_d(x_n + \delta_n)|, \qquad
              \delta_n \approx \arg\max_{|\delta| \le \epsilon A_n} \sum_d
              \left( A_{nd}\, g_d(x_n + \delta) \right)^2

    The search starts at the input and takes ``n_steps`` steps of ε / n_steps along the sign of the
    gradient, without keeping a graph; R is trained through the gradient at the last point. It works
    with any model, costs ``n_steps`` second derivatives, and certifies nothing;
    :class:`~pear_lightning.losses.R4Loss` bounds the whole box.

    Args:
        eps: ε, half the width of the box, in units of the inputs, at least 0.
        n_steps: Number of steps of the search, at least 1.
        output: Scalar that is differentiated: ``"log_prob"``, the cross-entropy up to its sign
            (the paper's), another name or a function of logits ``(N, C)`` and target.

    Raises:
        TypeError: If ``n_steps`` is not an integer.
        ValueError: If a value is out of range or the output is unknown; when called, if a mask is
            not made of zeros and ones or does not fit, or a label is out of range.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> mask = torch.zeros(8, 4)
        >>> mask[:, 0] = 1  # the first feature must not matter
        >>> _, reasons = PGDR4Loss(eps=0.1, n_steps=3).of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(model(inputs), target) + reasons

    References:
        Ghitu, Piratla, Wicker, *Model Guidance via Robust Feature Attribution*, TMLR 2025.

    Deviations from the paper:
        The loss is a mean over the batch. The model is explained in eval mode, with half-precision
        weights converted to float32.
    """

    def __init__(
        self,
        eps: float = 0.1,
        n_steps: int = 5,
        *,
        output: OutputName | OutputFunction = "log_prob",
    ) -> None:
        super().__init__()
        check_number("eps", eps)
        check_count("n_steps", n_steps)
        resolve_output(output)
        self.eps = eps
        self.n_steps = n_steps
        self.output: OutputName | OutputFunction = output

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
        found = rows.inputs + self._search(forward, rows)
        size = self._masked_gradient(forward, rows, found).abs().sum()
        return None, size

    def _search(self, forward: Forward, rows: Batch) -> Tensor:
        with torch.inference_mode(False), torch.no_grad():
            rows = rows.outside_inference_mode()

            def height(delta: Tensor) -> Tensor:
                return self._masked_gradient(forward, rows, rows.inputs + delta).square().sum()

            delta = torch.zeros_like(rows.inputs)
            for _ in range(self.n_steps):  # their sum cannot leave the box
                uphill = gradient_of(height, delta).sign()
                delta = delta + self.eps / self.n_steps * uphill * rows.marks
        return delta

    def _masked_gradient(self, forward: Forward, rows: Batch, points: Tensor) -> Tensor:
        points_of_rows = rows.with_inputs(points)
        _, (gradient,) = explain_batch(forward, points_of_rows, [Gradient()], output=self.output)
        return rows.marks * gradient

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"eps={self.eps}, n_steps={self.n_steps}, output={self.output!r}"
