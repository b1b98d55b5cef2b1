"""One training step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pear_lightning.modules.supervised import SupervisedModule

Step = Callable[[], None]


def training_step(optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor]) -> Step:
    """Return a function that does one step: forward, loss, backward, optimiser.

    Args:
        optimizer: The optimiser.
        loss: Computes the loss of the next batch.

    Returns:
        The function.
    """

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def optimizer_and_schedule(
    module: SupervisedModule,
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None]:
    """Return what a module would hand to the Trainer.

    Args:
        module: The module.

    Returns:
        Its optimiser, and the schedule of its learning rate, if there is one.
    """
    configured: Any = module.configure_optimizers()
    if isinstance(configured, dict):
        return configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    return configured, None
