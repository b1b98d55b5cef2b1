"""A model that is watched while it is used."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Watched(nn.Module):
    """A model that counts the samples it is given, and the time it takes.

    Args:
        model: The model.
        now: The clock; ``None`` takes no time.
        record: Whether to keep the samples.
    """

    def __init__(
        self, model: nn.Module, now: Callable[[], float] | None = None, *, record: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        self.now = now or (lambda: 0.0)
        self.record = record
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.samples = 0
        self.seconds = 0.0
        self.inputs: list[Tensor] = []

    def forward(self, inputs: Tensor, **kwargs: Tensor) -> Tensor:
        """Evaluate, count and time."""
        start = self.now()
        logits: Tensor = self.model(inputs, **kwargs)
        self.seconds += self.now() - start
        self.samples += len(inputs)
        if self.record:
            self.inputs.append(inputs.detach().clone())
        return logits

    def seen(self) -> Tensor:
        """Return the recorded samples, ``(N, *S)``."""
        return torch.cat(self.inputs)
