"""The contract of every loss that looks at a model's explanations."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from pear_lightning.explainers import Explainer
from pear_lightning.masking import Masker
from pear_lightning.scoring.scorer import Forward


class ExplanationLoss(nn.Module, ABC):
    """A scalar that says how wrong a model's explanations of a batch are.

    Lightning modules and the :class:`~pear_lightning.callbacks.ExplanationRegularizer` callback
    use the same object through the same method, :meth:`of_model`, so that both are doors to one
    implementation. A loss of attributions subclasses
    :class:`~pear_lightning.losses.AttributionLoss` and never sees the model; a loss that needs the
    model itself (its layers, a forward pass at changed inputs) subclasses this class.

    Attributes:
        needs_mask: Whether the loss is about annotated features. Without a mask in the batch it is
            0 then, and the model is not explained.
        needs_classes: Whether the loss is about labels of classes, which regression does not have.
        differentiates_gradients: Whether training it takes derivatives of gradients, which
            float16 is too coarse for.
        trains_half_weights: Whether gradients of bfloat16 weights are precise enough for it.
        default_weight: Weight of the loss where none is given.
        mask_features: What a feature is, where masks are given for features, ``(B, n)``;
            ``None`` takes masks shaped like the inputs.

    Shapes:
        - inputs: ``(B, *S)``
        - target: ``(B,)`` long
        - mask: ``(B, *S)``, or 1 in some dimensions, or ``(B, n)`` with ``mask_features``; 1 marks
          a feature, a row of zeros has no annotation
    """

    needs_mask: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False
    differentiates_gradients: ClassVar[bool] = False
    trains_half_weights: ClassVar[bool] = True
    default_weight: ClassVar[float] = 1.0
    mask_features: Masker | None = None

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether integer inputs, such as token ids, must be embedded first."""
        return True

    @property
    def explainers(self) -> dict[str, Explainer]:
        """Explainers of the loss by name, whose reference data are fitted before training."""
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
            points_per_pass: Bound on the query points of each sample in one pass; a loss that has
                one point at a time, or none, does not use it.

        Returns:
            Logits ``(B, C)`` of the model in eval mode where the loss had to compute them for the
            whole batch anyway, else ``None``; and the loss, a scalar in float32 or better.
        """

    def with_masks_of(self, masker: Masker) -> Self:
        """Take masks of features, ``(B, n)``, instead of masks shaped like the inputs.

        Args:
            masker: What a feature is: patches, tokens, groups of columns.

        Returns:
            The loss.
        """
        if not isinstance(masker, Masker):
            raise TypeError(f"masker must be a Masker, such as PatchMasker(4), got {masker!r}")
        self.mask_features = masker
        return self

    def task_weight(self, weight: float) -> float:
        """Return what the task loss is multiplied by in the method's objective.

        The objective is ``task_weight(w) · L + w · R``; here ``L + w R``.

        Args:
            weight: Weight w of this loss.

        Returns:
            Weight of the task loss.
        """
        return 1.0

    @staticmethod
    def nothing(inputs: Tensor) -> Tensor:
        """Return the loss of a batch without annotations: 0, without a graph."""
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        return torch.zeros((), dtype=dtype, device=inputs.device)
