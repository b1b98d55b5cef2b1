"""Base class of losses that are the cross-entropy at changed inputs."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from typing_extensions import override

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses.annotated_rows_loss import AnnotatedRowsLoss, check_classes, in_float32
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.scorer import Forward, as_logits, run_model


class PerturbedInputsLoss(AnnotatedRowsLoss):
    r"""Base class of losses that are the cross-entropy at changed irrelevant features.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f(\tilde x_n), y_n\big), \qquad
              \tilde x_n = x_n \; \text{where} \; A_n = 0

    The sum is over annotated rows; N counts all rows of the batch. Subclasses implement
    :meth:`perturb`. The model runs in its current mode, as for the task loss: it is trained on more
    data and not explained, so no second derivative is needed and any precision works.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, size 1 in broadcast dimensions
        - output: a scalar, float32 or better
    """

    @abstractmethod
    def perturb(self, forward: Forward, rows: Batch, dtype: torch.dtype) -> Tensor:
        """Return changed inputs of the annotated rows, ``(A, *S)``.

        The inputs may only change where the mask is 1.

        Args:
            forward: The model.
            rows: The annotated rows: inputs ``(A, *S)``, in float32 or better, target ``(A,)``,
                mask of 0 and 1.
            dtype: Dtype of the model's inputs.
        """

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        dtype = rows.inputs.dtype
        changed = self.perturb(forward, in_float32(rows), dtype).to(dtype)
        logits = as_logits(run_model(forward, changed, rows.forward_kwargs), len(changed))
        check_classes(logits, rows)
        return None, F.cross_entropy(at_least_float32(logits), rows.labels, reduction="sum")
