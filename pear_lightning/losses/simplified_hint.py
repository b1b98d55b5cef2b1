"""Simplified HINT: the squared error of Grad-CAM and a mask of relevant regions."""

from typing import ClassVar

from torch import Tensor

from pear_lightning.explainers import GradCAM
from pear_lightning.functional.validation import check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.class_activation import between_zero_and_one, mask_at
from pear_lightning.losses.masks import annotated_rows
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class SimplifiedHINTLoss(AttributionLoss):
    r"""Mean squared error of the label's Grad-CAM and a mask of **relevant** regions.

    .. math:: R = \frac{1}{N} \sum_{n \text{ annotated}} \frac{1}{|L|} \sum_{ij}
              \left( S_{n,ij} - H^{\downarrow}_{n,ij} \right)^2

    S is the Grad-CAM of the label's class at a layer, without its ReLU, scaled to [0, 1] for each
    image; H↓ is the mask at the positions of the layer, the marked share of each position.

    **Here 1 marks what should matter**, unlike in the losses that penalise marked features. Rows of
    zeros are not annotated and cost nothing.

    The original HINT ranks regions of an image and penalises pairs in the wrong order
    (:class:`~pear_lightning.losses.HINTLoss`); this form is used under its name in comparisons of
    such methods.

    Args:
        layer: Name of the layer in the model, usually its last convolution; see
            :class:`~pear_lightning.explainers.GradCAM`.
        output: Scalar that is explained; the label's logit minus the mean of all logits by
            default.

    Raises:
        ValueError: If the output is unknown; when called, if the model has no such layer, or a mask
            is not made of zeros and ones or does not fit the inputs.

    Shapes:
        - inputs: ``(B, C, *S)``; mask: ``(B, C, *S)``, size 1 in broadcast dimensions, or
          ``(B, H, W)``
        - attributions: maps ``(B, 1, *L)``
        - output: a scalar, float32 or better

    Example:
        >>> import torch
        >>> loss = SimplifiedHINTLoss("layer4")
        >>> maps, relevant = torch.tensor([[[[0.0, 5.0]]]]), torch.tensor([[[0.0, 1.0]]])
        >>> loss(maps, mask=relevant).item()
        0.0

    References:
        Selvaraju et al., *Taking a HINT: Leveraging Explanations to Make Vision and Language Models
        More Grounded*, ICCV 2019, arXiv 1902.03751, simplified by Friedrich et al., *A typology for
        exploring the mitigation of shortcut behaviour*, Nature Machine Intelligence 2023.

    Deviations from the paper:
        See above. The mask is resized to the map by area, instead of the map to the mask.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self, layer: str, *, output: OutputName | OutputFunction = "centered_logit"
    ) -> None:
        super().__init__({"grad_cam": GradCAM(layer, relu=False, resize=False)}, output)
        self.layer = layer

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Maps of the layer, ``(B, 1, *L)``.
            mask: 1 marks what should matter; ``None`` if nothing is annotated.
        """
        (maps,) = attributions
        if mask is None:
            return self.nothing(maps)
        check_attributions("attributions", maps)
        errors = (between_zero_and_one(maps) - mask_at(mask, maps)).flatten(1).square()
        return (errors.mean(dim=1) * annotated_rows(mask.bool())).mean()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"layer={self.layer!r}, output={self.output!r}"
