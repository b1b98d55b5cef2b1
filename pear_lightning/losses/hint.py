"""HINT: relevant regions should matter more to the model than others."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import Explainer
from pear_lightning.functional.regions import aligned_region, zeros_and_ones
from pear_lightning.functional.validation import at_least_float32, check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.class_activation import mask_at
from pear_lightning.losses.masks import as_masked
from pear_lightning.masking import Masker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class HINTLoss(AttributionLoss):
    r"""Ranking loss of pairs of regions that violate the order of their annotated relevance.

    .. math:: R = \frac{1}{N} \sum_n \sum_{p, q \,:\, h_{np} > h_{nq}}
              \max(0, \alpha_{nq} - \alpha_{np}), \qquad
              \alpha_{np} = \sum_{d \in p} \frac{\partial f_y}{\partial x_{nd}}

    α is the importance of a region to the model, the gradient of the label's logit summed over the
    region; h is its relevance to people, the share of the region that is marked. A pair in the
    right order costs nothing, however small the difference; a pair in the wrong order costs the
    difference. The loss constrains neither pairs of equally relevant regions nor the size of α: a
    region that speaks strongly *against* the label ranks last, so the model may still use it. Use
    :class:`~pear_lightning.losses.RightReasonsLoss` if the model must not.

    **Here 1 marks what should matter**, unlike in the losses that penalise marked features. Rows of
    zeros (not annotated) and rows that mark everything cost nothing.

    With ``masker`` a region is one of its features, such as a patch. Without it, every element of
    the mask is a region or, if the attributions are a map of a layer
    (``explainers={"grad_cam": GradCAM("layer4", relu=False, resize=False)}``), every position of
    the map. The *gradient* at a layer that is followed only by an average over positions is the
    same at every position and gives no order; Grad-CAM does.

    Memory grows with the square of the number of regions of each sample: pool an image to a few
    hundred. R is a sum over pairs, so a suitable weight depends on the number of regions.

    Args:
        masker: Defines the regions: patches, groups of columns, tokens, segments. A masker that
            needs the inputs (superpixels of each image, special tokens) requires :meth:`of_model`.
        explainers: Explainers by name; ``None`` means the gradient. The loss is averaged over them.
        output: Scalar that is explained; the label's logit minus the mean of all logits by
            default.

    Raises:
        ValueError: If the output is unknown; when called, if a mask is not made of zeros and ones
            or does not fit the inputs, or attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``, or maps of a layer ``(B, 1, *L)``; summed over the broadcast
          dimensions of the mask, such as channels
        - mask: ``(B, *S)``, size 1 in broadcast dimensions; ``(B, H, W)`` for images
        - output: a scalar, float32 or better

    Example:
        >>> attributions, relevant = torch.tensor([[3.0, 1.0, 0.5]]), torch.tensor([[0, 1, 0]])
        >>> HINTLoss()(attributions, mask=relevant).item()  # the first ranks above the second
        2.0
        >>> HINTLoss()(attributions, mask=torch.tensor([[1, 0, 0]])).item()
        0.0

    References:
        Selvaraju et al., *Taking a HINT: Leveraging Explanations to Make Vision and Language Models
        More Grounded*, ICCV 2019, arXiv 1902.03751. The formula follows secondary sources and not
        the text of the paper: the implementation of Shrestha, Kafle, Kanan, *A Negative Case
        Analysis of Visual Grounding Methods for VQA*, ACL 2020, arXiv 2004.05704, under this name
        and, based on it, Ying, Hase, Bansal, *VisFIS*, NeurIPS 2022, arXiv 2206.11212.

    Deviations from the paper:
        Regions are parts of the inputs or positions of a layer; the paper uses the features of
        detected objects. A pair of equally relevant regions has no order; those implementations
        count any difference as wrong. They also divide the sum by the number of regions.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self,
        masker: Masker | None = None,
        *,
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction = "centered_logit",
    ) -> None:
        super().__init__(explainers, output)
        self.masker = masker

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions ``(B, *S)``, or maps ``(B, 1, *L)``, of each explainer.
            mask: 1 marks what should matter; ``None`` if nothing is annotated.
        """
        return self._loss(attributions, mask, self._pool_alone)

    @override
    def of_attributions(
        self, attributions: Sequence[Tensor], mask: Tensor | None, batch: Batch
    ) -> Tensor:
        if self.masker is None:
            return self._loss(attributions, mask, self._pool_alone)
        # bound to the batch: the masker may need more than the attributions
        bound = self.masker.bind(batch.inputs, batch.sample_data, validate=False)
        return self._loss(attributions, mask, bound.pool)

    def _pool_alone(self, values: Tensor) -> Tensor:
        assert self.masker is not None
        return self.masker.pool(values)

    def _loss(
        self, attributions: Sequence[Tensor], mask: Tensor | None, pool: Callable[[Tensor], Tensor]
    ) -> Tensor:
        if mask is None:
            return self.nothing(attributions[0])
        marked = zeros_and_ones(mask, "mask")
        losses = []
        for each in attributions:
            check_attributions("attributions", each)
            importance, relevance = self._regions(at_least_float32(each), marked, pool)
            wrong = importance[:, None, :] - importance[:, :, None]  # α_q − α_p at (p, q)
            ordered = relevance[:, :, None] > relevance[:, None, :]  # False for NaN
            losses.append(wrong.clamp(min=0).where(ordered, 0).sum(dim=(1, 2)).mean())
        return torch.stack(losses).mean()

    def _regions(
        self, attributions: Tensor, marked: Tensor, pool: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return α and h, ``(B, n)`` each; h is NaN for a region that a sample lacks."""
        aligned = aligned_region(marked, attributions)
        if aligned is None:
            return attributions.flatten(1), mask_at(marked, attributions).flatten(1)
        if self.masker is None:
            return as_masked(attributions, aligned).flatten(1), aligned.flatten(1).float()
        ones = torch.ones_like(attributions)
        return pool(attributions), pool(ones * aligned) / pool(ones)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"masker={self.masker!r}, output={self.output!r}"
