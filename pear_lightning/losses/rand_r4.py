"""Rand-R4: the change of the masked gradient when irrelevant features change."""

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import GradientExplainer, Query
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.functional.validation import check_count, check_number
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, in_float32
from pear_lightning.losses.right_reasons import right_reasons_loss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.replaced_weights import in_dtype
from pear_lightning.scoring.scorer import Forward


class RandR4Loss(AnnotatedRowsLoss):
    r"""Largest change of the masked input gradient at random points of a box.

    .. math:: R = \frac{1}{N} \sum_n \Big\| A_n \odot \max_k
              \big| g(x_n + A_n \odot u_{nk}) - g(x_n) \big| \Big\|_2, \qquad
              u_{nk} \sim U[-\epsilon, \epsilon]

    The maximum is taken feature by feature. All points go through the model in one pass. It works
    with any model and certifies nothing; :class:`~pear_lightning.losses.R4Loss` bounds the box. The
    loss keeps the gradient from changing but does not make it small, so use it together with a loss
    that does: ``RightReasonsLoss(output="log_prob")``.

    Args:
        eps: ε, half the width of the box, in units of the inputs, at least 0.
        n_samples: Number of random points of each sample, at least 1.
        output: Scalar that is differentiated: ``"log_prob"``, the cross-entropy up to its sign
            (the paper's), another name or a function of logits ``(N, C)`` and target.
        seed: Seed of points shared by all samples and calls; ``None`` draws anew.

    Raises:
        TypeError: If ``n_samples`` is not an integer.
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
        >>> logits, change = RandR4Loss(eps=0.1).of_model(model, (inputs, target, mask))
        >>> loss = torch.nn.functional.cross_entropy(logits, target) + change

    References:
        Ghitu, Piratla, Wicker, *Model Guidance via Robust Feature Attribution*, TMLR 2025.

    Deviations from the paper:
        The loss is a mean over the batch. The model is explained in eval mode, with half-precision
        weights converted to float32.
    """

    def __init__(
        self,
        eps: float = 0.1,
        n_samples: int = 5,
        *,
        output: OutputName | OutputFunction = "log_prob",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        check_number("eps", eps)
        check_count("n_samples", n_samples)
        resolve_output(output)
        self.eps = eps
        self.n_samples = n_samples
        self.output: OutputName | OutputFunction = output
        self.seed = seed

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
        shape = rows.inputs.shape[1:]
        draws = random_draws("uniform", self.n_samples, rows.inputs, shape, self.seed)
        logits, (change,) = explain_batch(
            forward,
            rows,
            [_LargestChange(self.eps * (2 * draws - 1) * rows.marks)],
            output=self.output,
            points_per_pass=points_per_pass,
        )
        size = right_reasons_loss(change, rows.marks, norm="l2", reduction="sum")
        return logits, size

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"eps={self.eps}, n_samples={self.n_samples}, output={self.output!r}, seed={self.seed}"
        )


class _LargestChange(GradientExplainer):
    """Largest change of each element of the gradient under moves ``(K, B, *S)`` of the inputs."""

    def __init__(self, moves: Tensor) -> None:
        super().__init__()
        self.moves = moves

    def query(self, inputs: Tensor) -> Query:
        return Query(torch.cat([inputs[None], inputs + self.moves]))

    def reduce(self, gradients: Tensor, query: Query) -> Tensor:
        return (gradients[1:] - gradients[0]).abs().amax(dim=0)
