"""What losses share that ask for the right answer at changed inputs."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from typing_extensions import override

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses.annotated_batch import AnnotatedBatch, annotated_batch
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.scoring.scorer import Forward, as_logits


class PerturbedAnswersLoss(ExplanationLoss):
    r"""Cross-entropy where only irrelevant features were changed.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f(\tilde x_n), y_n\big), \qquad
              \tilde x_n = x_n \; \text{where} \; A_n = 0

    The sum is over annotated rows; N counts all rows of the batch. Subclasses implement
    :meth:`perturb`. The model runs in the mode that it is in, as for the task loss: it is trained
    on more data and not explained, so no second derivative is needed and any precision will do.

    Shapes:
        - inputs: ``(B, *S)``; mask: ``(B, *S)``, 1 in dimensions that it is broadcast over
        - output: a scalar, float32 or better
    """

    needs_mask: ClassVar[bool] = True
    needs_classes: ClassVar[bool] = True

    @abstractmethod
    def perturb(self, forward: Forward, batch: AnnotatedBatch, dtype: torch.dtype) -> Tensor:
        """Return changed inputs of the annotated rows.

        Args:
            forward: The model.
            batch: The annotated rows: inputs ``(A, *S)``, in float32 or better, target ``(A,)``,
                mask of 0 and 1.
            dtype: What the model takes.

        Returns:
            Inputs ``(A, *S)`` that differ where the mask is 1 only.
        """

    @override
    def of_model(
        self,
        forward: Forward,
        inputs: Tensor,
        target: Tensor | None,
        mask: Tensor | None = None,
        *,
        forward_kwargs: Mapping[str, Any] | None = None,
        points_per_pass: int | None = None,
    ) -> tuple[Tensor | None, Tensor]:
        batch = annotated_batch(inputs, target, mask, forward_kwargs)
        if batch is None:
            return None, self.nothing(inputs)
        changed = self.perturb(forward, batch, inputs.dtype).to(inputs.dtype)
        logits = as_logits(forward(changed, **batch.forward_kwargs), len(changed))
        batch.check_classes(logits)
        answers = F.cross_entropy(at_least_float32(logits), batch.target, reduction="sum")
        return None, answers / batch.n_rows
