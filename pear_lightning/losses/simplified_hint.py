"""HINT in its simplified form: Grad-CAM should look like a mask of what is relevant."""

from typing import ClassVar

from torch import Tensor

from pear_lightning.explainers import GradCAM
from pear_lightning.functional.validation import check_attributions
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.class_activation import between_zero_and_one, mask_at
from pear_lightning.losses.masks import annotated_rows
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class SimplifiedHINTLoss(AttributionLoss):
    r"""Mean squared error of the label's Grad-CAM and a mask of what is **relevant**.

    .. math:: R = \frac{1}{N} \sum_{n \text{ annotated}} \frac{1}{|L|} \sum_{ij}
              \left( S_{n,ij} - H^{\downarrow}_{n,ij} \right)^2

    S is the Grad-CAM of the label's class at a layer, without its ReLU, scaled to [0, 1] for each
    image; H↓ is the mask at the positions of the layer: the share of each that is marked.

    **Here 1 marks what should matter**, other than in the losses that punish. A row of zeros is not
    annotated and costs nothing.

    HINT itself ranks regions of an image and punishes pairs in the wrong order
    (:class:`~pear_lightning.losses.HINTLoss`); this is what comparisons of such methods use under
    its name.

    Args:
        layer: Name of the layer in the model, usually its last convolution; see
            :class:`~pear_lightning.explainers.GradCAM`.
        output: Scalar that is explained; ``"logit"`` is the label's class.

    Raises:
        ValueError: If the output is not known; when called, if the model has no such layer, a mask
            is not made of zeros and ones or does not fit the inputs.

    Shapes:
        - inputs: ``(B, C, *S)``; mask: ``(B, C, *S)``, 1 in dimensions that it is broadcast over,
          or ``(B, H, W)``
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
        See above. The mask is resized to the map by area, and not the map to the mask.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(self, layer: str, *, output: OutputName | OutputFunction = "logit") -> None:
        super().__init__({"grad_cam": GradCAM(layer, relu=False, resize=False)}, output)
        self.layer = layer

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss.

        Args:
            *attributions: Maps of the layer, ``(B, 1, *L)``.
            mask: 1 marks what should matter; ``None`` says nothing.

        Returns:
            Scalar.
        """
        (maps,) = attributions
        if mask is None:
            return self.nothing(maps)
        check_attributions("attributions", maps)
        errors = (between_zero_and_one(maps) - mask_at(mask, maps)).flatten(1).square()
        return (errors.mean(dim=1) * annotated_rows(mask.bool())).mean()

    def extra_repr(self) -> str:
        """Name the settings."""
        return f"layer={self.layer!r}, output={self.output!r}"
