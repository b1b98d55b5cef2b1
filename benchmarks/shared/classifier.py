"""How the networks are trained."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from benchmarks.shared.model_inputs import model_inputs
from benchmarks.shared.text_cnn import TextCNN
from benchmarks.shared.word_ids import PADDING, UNKNOWN


class Classifier(LightningModule):
    """Trains a network with cross-entropy.

    Args:
        model: The network.
        learning_rate: Of AdamW, falling to 0 along a half cosine.
        unknown: Share of the words of a text that are hidden in training.
    """

    def __init__(self, model: nn.Module, learning_rate: float, unknown: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.learning_rate = learning_rate
        self.unknown = unknown

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the loss of a batch."""
        inputs, target = batch
        if self.unknown:
            hidden = (torch.rand(inputs.shape) < self.unknown) & (inputs != PADDING)
            inputs = inputs.masked_fill(hidden, UNKNOWN)
        embedded, kwargs = model_inputs(self.model, inputs)
        return nn.functional.cross_entropy(self.model(embedded, **kwargs), target)

    def configure_optimizers(self) -> Any:
        """Return AdamW and its schedule."""
        decay = 1e-2 if isinstance(self.model, TextCNN) else 2e-4
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate, weight_decay=decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
