"""Training for the ScoresActivation benchmark: the library's modules in a plain loop."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.shared.training_step import optimizer_and_schedule
from pear_lightning.modules.supervised import SupervisedModule


def train(module: SupervisedModule, loader: Any, epochs: int) -> int:
    """Train a module as ``Trainer.fit`` does, without what a Trainer adds around the steps.

    Same batches, optimiser and loss, and so the same weights, which a test holds; four times
    faster for networks of this size.

    Args:
        module: The module.
        loader: Of the training rows.
        epochs: Epochs.

    Returns:
        Number of steps.
    """
    optimizer, schedule = optimizer_and_schedule(module)
    module.train()
    steps = 0
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for inputs, target in loader:
            optimizer.zero_grad()
            module.training_loss((inputs, target))["loss"].backward()
            optimizer.step()
            steps += 1
        if schedule is not None:
            schedule.step()
    module.eval()
    return steps


@torch.no_grad()
def performance(module: SupervisedModule, inputs: Tensor, target: Tensor) -> float:
    """Return the accuracy, or the coefficient of determination for regression."""
    outputs = module(inputs)
    if module.task == "classification":
        return float((outputs.argmax(dim=1) == target).float().mean())
    error = (outputs.flatten() - target).square().mean()
    return float(1 - error / target.var(correction=0))
