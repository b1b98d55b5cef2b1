"""Somebody else's modules, which know nothing of explanations."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

FEATURES, CLASSES = 5, 3


class Foreign(LightningModule):
    """A module with a network, whose batches are ``(x, y)``."""

    def __init__(self, net: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = nn.Linear(FEATURES, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, CLASSES)
        self.net = net or nn.Sequential(*layers)

    def forward(self, inputs: Tensor, **kwargs: Tensor) -> Tensor:
        logits: Tensor = self.net(inputs, **kwargs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def test_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(rows: int = 20, batch_size: int = 8) -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(rows, FEATURES, generator=generator)
    return DataLoader(
        TensorDataset(inputs, inputs[:, :CLASSES].argmax(dim=1)), batch_size=batch_size
    )
