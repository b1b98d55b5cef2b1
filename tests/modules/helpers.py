"""Small data and trainers for the module tests."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


def table(rows: int = 96, features: int = 6, classes: int = 2, seed: int = 0) -> TensorDataset:
    """Rows whose class depends on the first features, not linearly."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, features, generator=generator)
    score = 2 * x[:, 0] + torch.sin(6 * x[:, 1]) * x[:, 2]
    bounds = score.quantile(torch.linspace(0, 1, classes + 1)[1:-1])
    return TensorDataset(x, torch.bucketize(score, bounds))


def loader(rows: int = 96, batch_size: int = 16, **kwargs: Any) -> DataLoader[Any]:
    return DataLoader(table(rows, **kwargs), batch_size=batch_size)


def quiet_trainer(kind: type[Trainer] = Trainer, **kwargs: Any) -> Any:
    defaults = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return kind(**defaults | kwargs)


def sgd(params: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr=0.1)


def weights(module: torch.nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


class WeightsOfSteps(Callback):
    """Keeps the weights of a module before and after each step; as the last callback."""

    def __init__(self) -> None:
        self.steps: list[list[Tensor]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.steps = [weights(pl_module)]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        self.steps.append(weights(pl_module))

    def averaged(self, decay: float) -> list[Tensor]:
        """Return the exponential moving average, which begins with the weights of step 1."""
        mean = self.steps[1]
        for step in self.steps[2:]:
            mean = [decay * a + (1 - decay) * b for a, b in zip(mean, step, strict=True)]
        return mean
