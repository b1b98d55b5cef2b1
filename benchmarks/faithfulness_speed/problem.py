"""A trained model, and samples with explanations."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

EXPLANATIONS = 14  # as many as DeepFaith compares


@dataclass(frozen=True)
class Problem:
    """A trained model, and samples with explanations.

    Attributes:
        name: What it is.
        model: In eval mode; samples ``(N, *S)`` to logits ``(N, C)``.
        inputs: Samples, ``(B, *S)``; a removed feature becomes 0, which no sample has anywhere.
        target: Explained class, the predicted one, ``(B,)`` long.
        attributions: ``(B, *S)``, input times gradient of the probability.
    """

    name: str
    model: nn.Module
    inputs: Tensor
    target: Tensor
    attributions: Tensor

    @property
    def is_image(self) -> bool:
        """Whether samples are images ``(B, 1, H, W)``."""
        return self.inputs.ndim == 4

    @property
    def n_elements(self) -> int:
        """Number of elements of a sample."""
        return self.inputs[0].numel()

    def with_model(self, model: nn.Module) -> "Problem":
        """Put another model in the place of this one."""
        return Problem(self.name, model, self.inputs, self.target, self.attributions)

    def first(self, n_samples: int) -> "Problem":
        """Keep the first samples."""
        return self._rows(slice(n_samples))

    def sample(self, row: int) -> "Problem":
        """Keep one sample."""
        return self._rows(slice(row, row + 1))

    def _rows(self, rows: slice) -> "Problem":
        return Problem(
            self.name, self.model, self.inputs[rows], self.target[rows], self.attributions[rows]
        )

    def more_attributions(self) -> dict[str, Tensor]:
        """Return several explanations, which differ by noise."""
        generator = torch.Generator().manual_seed(0)
        scale = self.attributions.std().cpu()
        noise = scale * torch.randn(EXPLANATIONS, *self.inputs.shape, generator=generator)
        return {
            f"explanation {number}": self.attributions + number / EXPLANATIONS * each.to(scale)
            for number, each in enumerate(noise.to(self.attributions))
        }
