"""Base class of losses that are the cross-entropy at changed inputs."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from typing_extensions import override

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses.annotated_rows_loss import (
    AnnotatedRowsLoss,
    annotated,
    check_classes,
    in_float32,
)
from pear_lightning.losses.masks import annotated_rows, element_mask
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.batch_statistics import shares_batch_statistics, uses_batch_statistics
from pear_lightning.scoring.scorer import Forward, as_logits, run_model


class PerturbedInputsLoss(AnnotatedRowsLoss):
    r"""Base class of losses that are the cross-entropy at changed irrelevant features.

    .. math:: R = \frac{1}{N} \sum_n \mathrm{CE}\big(f(\tilde x_n), y_n\big), \qquad
              \tilde x_n = x_n \; \text{where} \; A_n = 0

    The sum is over annotated rows; N counts all rows of the batch. Subclasses implement
    :meth:`perturb`. The model runs in its current mode, as for the task loss: it is trained on more
    data and not explained, so no second derivative is needed and any precision works.

    Only annotated rows are evaluated, unless the model uses statistics of the batch (batch norm in
    training mode). It then evaluates the whole batch with the annotated rows changed, so that the
    statistics are those of as many rows as in the task loss.

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
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        batch = Batch.of(batch)
        if not uses_batch_statistics(forward):
            return super().of_model(forward, batch, points_per_pass=points_per_pass)
        mask = element_mask(batch, self.mask_features)
        rows = annotated(batch, mask)
        if mask is None or rows is None:
            if not shares_batch_statistics(forward):
                return None, self.nothing(batch.inputs)
            # the other ranks wait for this one, in the forward and in the backward pass
            logits = as_logits(run_model(forward, batch.inputs, batch.forward_kwargs), len(batch))
            return None, at_least_float32(logits[:0]).sum()
        index = annotated_rows(mask).nonzero().squeeze(1)
        changed = batch.inputs.index_copy(0, index, self._changed(forward, rows))
        logits = as_logits(run_model(forward, changed, batch.forward_kwargs), len(batch))
        return None, _cross_entropy(logits[index], rows) / len(batch)

    @override
    def of_rows(
        self, forward: Forward, rows: Batch, points_per_pass: int | None
    ) -> tuple[Tensor | None, Tensor]:
        changed = self._changed(forward, rows)
        logits = as_logits(run_model(forward, changed, rows.forward_kwargs), len(rows))
        return None, _cross_entropy(logits, rows)

    def _changed(self, forward: Forward, rows: Batch) -> Tensor:
        dtype = rows.inputs.dtype
        return self.perturb(forward, in_float32(rows), dtype).to(dtype)


def _cross_entropy(logits: Tensor, rows: Batch) -> Tensor:
    """Return the sum of the cross-entropies of annotated rows, with logits ``(A, C)``."""
    check_classes(logits, rows)
    return F.cross_entropy(at_least_float32(logits), rows.labels, reduction="sum")
