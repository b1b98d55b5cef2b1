"""The energy loss: the share of positive attribution that lies in the wrong place."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pear_lightning.explainers import Explainer, InputXGradient
from pear_lightning.functional.validation import (
    at_least_float32,
    check_attributions,
    check_choice,
)
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.masks import aligned_mask, annotated_rows, as_masked
from pear_lightning.scoring.outputs import OutputFunction, OutputName


class EnergyLoss(AttributionLoss):
    r"""The share of the positive attribution that lies outside a box, or inside a forbidden one.

    .. math:: R = \frac{1}{N} \sum_n 1 - \frac{\sum_{d \in \mathrm{box}_n} \phi_{nd}^+}
              {\sum_d \phi_{nd}^+}, \qquad \phi^+ = \max(\phi, 0)

    It does not depend on the scale of the attributions and does not ask that all of the box
    matters: good where all that is known is a box around the object. A row of zeros in the mask is
    not annotated and costs nothing, nor does a row without any positive attribution.

    Args:
        marks: What the mask marks with 1: ``"irrelevant"`` features, as everywhere in this
            library, or ``"relevant"`` ones, the box of the paper.
        output: Scalar that is explained, the label's logit by default.
        explainers: Explainers by name; ``None`` is input x gradient. The loss is averaged over
            them.

    Raises:
        ValueError: If a name is not known; when called, if the mask is not made of zeros and
            ones or does not fit the inputs, or attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``; summed first over the dimensions that the mask is broadcast
          over, such as channels
        - mask: ``(B, *S)``, with 1 in dimensions that it is broadcast over
        - output: a scalar in [0, 1], float32 or better

    Example:
        >>> attributions, box = torch.tensor([[3.0, 1.0, -9.0]]), torch.tensor([[1, 0, 0]])
        >>> EnergyLoss("relevant")(attributions, mask=box).item()
        0.25
        >>> EnergyLoss("irrelevant")(attributions, mask=box).item()
        0.75

    References:
        Rao, Böhle, Parchami-Araghi, Schiele, *Studying How to Efficiently and Effectively Guide
        Models with Explanations*, ICCV 2023, arXiv 2303.11932.
    """

    needs_mask: ClassVar[bool] = True

    def __init__(
        self,
        marks: Literal["irrelevant", "relevant"] = "irrelevant",
        *,
        output: OutputName | OutputFunction = "logit",
        explainers: Mapping[str, Explainer] | None = None,
    ) -> None:
        check_choice("marks", marks, ("irrelevant", "relevant"))
        super().__init__(explainers, output)
        self.marks = marks

    def default_explainers(self) -> dict[str, Explainer]:
        """Return input x gradient."""
        return {"input_x_gradient": InputXGradient()}

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss.

        Args:
            *attributions: Attributions ``(B, *S)`` of each explainer.
            mask: What is marked; ``None`` where nothing is annotated.

        Returns:
            Scalar.
        """
        if mask is None:
            return self.nothing(attributions[0])
        return torch.stack([self._share(each, mask) for each in attributions]).mean()

    def _share(self, attributions: Tensor, mask: Tensor) -> Tensor:
        check_attributions("attributions", attributions)
        mask = aligned_mask(mask, attributions)
        positive = as_masked(at_least_float32(attributions), mask).clamp(min=0).flatten(1)
        marked = mask.flatten(1)
        wrong = marked if self.marks == "irrelevant" else ~marked
        # divided by the largest one first, so that sums of small attributions do not vanish
        largest = positive.detach().amax(dim=1, keepdim=True)
        counts = (largest.squeeze(1) > 0) & annotated_rows(marked)
        unit = positive / torch.where(largest > 0, largest, 1)
        total = unit.sum(dim=1)
        shares = (unit * wrong).sum(dim=1) / torch.where(counts, total, 1)
        return torch.where(counts, shares, 0).mean()

    def extra_repr(self) -> str:
        """Name the settings."""
        return f"marks={self.marks!r}, output={self.output!r}"
