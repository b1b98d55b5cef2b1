"""Base class of losses of a model's explanations."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from pear_lightning.explainers import Explainer
from pear_lightning.losses.mean_over_ranks import number_of_ranks
from pear_lightning.masking import Masker
from pear_lightning.scoring.scorer import Forward


class ExplanationLoss(nn.Module, ABC):
    """Base class of losses that measure how wrong a model's explanations of a batch are.

    Lightning modules and the :class:`~pear_lightning.callbacks.ExplanationRegularizer` callback
    call the same method, :meth:`of_model`, and so share one implementation. A loss of attributions
    subclasses :class:`~pear_lightning.losses.AttributionLoss` and never receives the model; a loss
    that needs the model itself (its layers, a forward pass at changed inputs) subclasses this
    class.

    Attributes:
        needs_mask: Whether the loss is about annotated features. If it is and the batch has no
            mask, the loss is 0 and the model is not explained. Other losses leave masks of any form
            alone.
        needs_classes: Whether the loss needs class labels, which regression does not have.
        explains_task_loss: Whether the loss explains that of the task, and so needs the target of a
            regression, which other losses do not receive.
        trains_half_weights: Whether gradients of bfloat16 weights are precise enough for the loss.
        default_weight: Default weight of the loss.
        mask_features: Masker that defines the features of masks ``(B, n)``; ``None`` means that
            all masks are shaped like the inputs.

    Shapes:
        - inputs: ``(B, *S)``
        - target: ``(B,)`` long; for losses that explain the task loss, also values of a regression
        - mask: ``(B, *S)``, or size 1 in some dimensions, or ``(B, n)`` with ``mask_features``,
          which comes first where the inputs have that shape, too; 1 marks a feature, and a row of
          zeros has no annotation
    """

    needs_mask: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    explains_task_loss: ClassVar[bool] = False
    trains_half_weights: ClassVar[bool] = True
    default_weight: ClassVar[float] = 1.0
    mask_features: Masker | None = None

    @property
    def differentiates_gradients(self) -> bool:
        """Whether training takes derivatives of gradients, for which float16 is too coarse."""
        return False

    @property
    def reduces_rows_by(self) -> Literal["mean", "sum", "annotated"]:
        """How the loss depends on the rows of a batch, for an estimate from a part of them.

        ``"mean"`` over all rows, ``"sum"``, or ``"annotated"``, a mean that counts annotated rows
        only.
        """
        return "mean"

    @property
    def ranks(self) -> int:
        """Number of processes whose rows are one batch for losses that reduce over ranks.

        In evaluation (``eval()``) it is 1, because the ranks may have different numbers of batches:
        a loss is then that of the rank's own rows. Lightning sets the mode of losses that belong
        to a module; call ``eval()`` on others before evaluating them on several devices.
        """
        return number_of_ranks() if self.training else 1

    @property
    def couples_rows(self) -> bool:
        """Whether R of a batch is not a mean over its rows, but of another size in its parts.

        Gradient accumulation then trains another R than a batch of all rows.
        """
        return False

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether integer inputs, such as token ids, must be embedded first."""
        return True

    @property
    def explainers(self) -> dict[str, Explainer]:
        """Explainers of the loss by name; their reference data are fitted before training."""
        return {}

    @abstractmethod
    def of_model(
        self, forward: Forward, batch: Any, *, points_per_pass: int | None = None
    ) -> tuple[Tensor | None, Tensor]:
        """Return the loss of a model on a batch.

        Args:
            forward: The model: inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: A :class:`~pear_lightning.scoring.Batch`, or anything that
                :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads, such as
                ``(inputs, target, mask)``. The target may be missing for a model with one output,
                unless the loss needs classes.
            points_per_pass: Largest number of query points of each sample in one pass; not used by
                losses that evaluate at most one point at a time.

        Returns:
            Logits ``(B, C)`` of the model in eval mode, or ``None`` if the loss does not compute
            them for the whole batch; and the loss, a scalar in float32 or better.
        """

    def with_masks_of(self, masker: Masker) -> Self:
        """Take masks of features, ``(B, n)``, and not only masks shaped like the inputs.

        Args:
            masker: Defines the features: patches, tokens, groups of columns.

        Returns:
            This loss.
        """
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as PatchMasker(4), got {masker!r}")
        self.mask_features = masker
        return self

    def task_weight(self, weight: float) -> float:
        """Return the factor of the task loss in the objective of the method.

        The objective is ``task_weight(w) · L + w · R``; by default the factor is 1, ``L + w R``.

        Args:
            weight: Weight w of this loss.
        """
        return 1.0

    @staticmethod
    def nothing(inputs: Tensor) -> Tensor:
        """Return the loss of a batch without annotations: 0, without a graph."""
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        return torch.zeros((), dtype=dtype, device=inputs.device)


def check_loss(loss: object) -> None:
    """Raise a ``TypeError`` unless an object is an explanation loss.

    Args:
        loss: The object.

    Example:
        >>> check_loss(nn.MSELoss)
        Traceback (most recent call last):
        ...
        TypeError: loss must be an ExplanationLoss, such as ConsensusLoss() or RightReasonsLoss(), \
got the class MSELoss
    """
    if isinstance(loss, ExplanationLoss):
        return
    given = repr(loss)
    if isinstance(loss, type):
        given = f"the class {loss.__name__}"
        if issubclass(loss, ExplanationLoss):
            given += f"; write {loss.__name__}()"
    raise TypeError(
        "loss must be an ExplanationLoss, such as ConsensusLoss() or RightReasonsLoss(), got "
        f"{given}"
    )
