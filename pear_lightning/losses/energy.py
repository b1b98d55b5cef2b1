"""The energy loss: the share of positive attribution on irrelevant features."""

from collections.abc import Mapping, Sequence
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
    r"""Share of the positive attribution outside a relevant box, or inside an irrelevant one.

    .. math:: R = \frac{1}{N} \sum_n 1 - \frac{\sum_{d \in \mathrm{box}_n} \phi_{nd}^+}
              {\sum_d \phi_{nd}^+}, \qquad \phi^+ = \max(\phi, 0)

    It does not depend on the scale of the attributions and does not require that every part of the
    box matters, which suits annotations by a box around the object. Rows without annotation (a mask
    row of zeros) and rows without positive attribution cost nothing.

    Args:
        marks: Meaning of a 1 in the mask: ``"irrelevant"`` features, as everywhere in this library,
            or ``"relevant"`` features, the paper's box.
        output: Scalar that is explained, the label's logit by default.
        explainers: Explainers by name; ``None`` means input x gradient. The loss is averaged over
            them.

    Raises:
        ValueError: If a name is unknown; when called, if the mask is not made of zeros and ones or
            does not fit the inputs, or attributions hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``; summed first over the broadcast dimensions of the mask, such as
          channels
        - mask: ``(B, *S)``, size 1 in broadcast dimensions
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
        output: OutputName | OutputFunction = "centered_logit",
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
    ) -> None:
        check_choice("marks", marks, ("irrelevant", "relevant"))
        super().__init__(explainers, output)
        self.marks = marks

    def default_explainers(self) -> dict[str, Explainer]:
        """Return input x gradient."""
        return {"input_x_gradient": InputXGradient()}

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: The annotations; ``None`` if nothing is annotated.
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
        # divided by the largest value first, so that sums of small attributions do not underflow
        largest = positive.detach().amax(dim=1, keepdim=True)
        counts = (largest.squeeze(1) > 0) & annotated_rows(marked)
        unit = positive / torch.where(largest > 0, largest, 1)
        total = unit.sum(dim=1)
        shares = (unit * wrong).sum(dim=1) / torch.where(counts, total, 1)
        return torch.where(counts, shares, 0).mean()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"marks={self.marks!r}, output={self.output!r}"
