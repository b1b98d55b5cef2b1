"""RRR-G: a penalty of Grad-CAM on irrelevant regions."""

from typing import ClassVar, Literal

from torch import Tensor

from pear_lightning.explainers import GradCAM
from pear_lightning.functional.validation import check_attributions, check_choice
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.class_activation import between_zero_and_one, mask_at
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class RRRGLoss(AttributionLoss):
    r"""Size of the predicted class's Grad-CAM on regions annotated as irrelevant.

    .. math:: R = \frac{1}{N} \sum_n \sum_{ij} \left( A^{\downarrow}_{n,ij}\, S_{n,ij} \right)^2

    S is the Grad-CAM of the predicted class at a layer, without its ReLU, scaled to [0, 1] for
    each image; A↓ is the mask at the positions of the layer, the marked share of each position.
    R depends on the location of the evidence in the image and not on its amount: the map of every
    image reaches 1 somewhere.

    Args:
        layer: Name of the layer in the model, usually its last convolution; see
            :class:`~pear_lightning.explainers.GradCAM`.
        reduction: ``"mean"`` over the rows of the batch, or ``"sum"``.
        output: Scalar that is explained; the largest logit minus the mean of all logits by
            default.

    Raises:
        ValueError: If a name is unknown; when called, if the model has no such layer, or a mask is
            not made of zeros and ones or does not fit the inputs.

    Shapes:
        - inputs: ``(B, C, *S)``; mask: ``(B, C, *S)``, size 1 in broadcast dimensions, or
          ``(B, H, W)``
        - attributions: maps ``(B, 1, *L)``
        - output: a scalar, float32 or better

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),
        ...     torch.nn.Linear(144, 2),
        ... )
        >>> images, labels = torch.rand(5, 1, 8, 8), torch.randint(2, (5,))
        >>> mask = torch.zeros(5, 8, 8)
        >>> mask[:, :3, :3] = 1  # this corner must not matter
        >>> _, reasons = RRRGLoss("1").of_model(model, (images, labels, mask))
        >>> reasons.backward()

    References:
        Schramowski et al., *Making deep neural networks right for the right scientific reasons by
        interacting with their explanations*, Nature Machine Intelligence 2020, arXiv 2001.05371;
        in the form of Friedrich et al., *A typology for exploring the mitigation of shortcut
        behaviour*, Nature Machine Intelligence 2023.

    Deviations from the paper:
        The loss is a mean over the batch instead of a sum. The mask is resized by area, so that a
        small mark is not lost on a coarse map.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self,
        layer: str,
        reduction: Literal["mean", "sum"] = "mean",
        *,
        output: OutputName | OutputFunction = "max_centered_logit",
    ) -> None:
        check_choice("reduction", reduction, ("mean", "sum"))
        super().__init__({"grad_cam": GradCAM(layer, relu=False, resize=False)}, output)
        self.layer = layer
        self.reduction: Literal["mean", "sum"] = reduction

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Maps of the layer, ``(B, 1, *L)``.
            mask: 1 marks irrelevant positions; ``None`` marks none.
        """
        (maps,) = attributions
        if mask is None:
            return self.nothing(maps)
        check_attributions("attributions", maps)
        wrong = mask_at(mask, maps) * between_zero_and_one(maps)
        rows = wrong.flatten(1).square().sum(dim=1)
        return rows.mean() if self.reduction == "mean" else rows.sum()

    @property
    def reduces_rows_by(self) -> Literal["mean", "sum", "annotated"]:
        """How the loss depends on the rows of a batch, according to ``reduction``."""
        return self.reduction

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"layer={self.layer!r}, reduction={self.reduction!r}, output={self.output!r}"
