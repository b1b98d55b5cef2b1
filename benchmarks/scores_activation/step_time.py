"""What the gate adds to a training step."""

import math
import time
from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.methods import DEFAULT, METHODS, NONE
from benchmarks.scores_activation.modules import make_module
from benchmarks.scores_activation.table_settings import Table
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import interleaved, several
from benchmarks.shared.training_step import Step, optimizer_and_schedule, training_step
from pear_lightning.modules.supervised import SupervisedModule

SHAPES = {
    Shape("MLP 16-64-32-2, batch 32", 16, (64, 32), 32): 60,
    Shape("MLP 16-64-32-2, batch 256", 16, (64, 32), 256): 60,
    Shape("MLP 16-256-256-256-2, batch 256", 16, (256, 256, 256), 256): 60,
    Shape("MLP 64-1024-1024-1024-2, batch 256", 64, (1024, 1024, 1024), 256): 15,
    Shape("MLP 64-1024-1024-1024-2, batch 1024", 64, (1024, 1024, 1024), 1024): 8,
}
"""Networks and batches, and how many blocks of steps are timed."""


def overhead(shape: Shape, blocks: int) -> dict[str, Any]:
    """Time steps without and with a gate, which take turns.

    Args:
        shape: Network and batch.
        blocks: How many blocks of steps.

    Returns:
        Milliseconds of a step by method, and quartiles of the ratio to a plain one.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(shape.batch_size, shape.in_features, generator=generator)
    target = torch.randint(2, (shape.batch_size,), generator=generator)
    table = Table(lambda *_: None, shape.hidden)
    groups = list(range(shape.in_features))
    size = 2 if shape.hidden[0] > 1000 else 10
    steps = {}
    for method in (NONE, DEFAULT, "CancelOut", "STG", "Deep Lasso"):
        module = make_module(METHODS[method], table, _Two(), groups, 1)
        steps[method] = several(_step(module, inputs, target), size)
    for step in steps.values():
        step()
        step()
    times = interleaved(steps, blocks, time.process_time, seconds=math.inf)
    ms = {method: 1000 * torch.tensor(each) / size for method, each in times.items()}
    quartiles = torch.tensor([0.25, 0.5, 0.75])
    return {
        "name": shape.name,
        "ms": {method: float(each.median()) for method, each in ms.items()},
        # each block against the plain one beside it, so that a busy machine harms both
        "ratio": {
            method: (each / ms[NONE]).quantile(quartiles).tolist() for method, each in ms.items()
        },
    }


class _Two:
    """What :func:`make_module` asks of a table with two classes."""

    task, num_classes = "classification", 2


def _step(module: SupervisedModule, inputs: Tensor, target: Tensor) -> Step:
    optimizer, _ = optimizer_and_schedule(module)
    module.train()
    return training_step(optimizer, lambda: module.training_loss((inputs, target))["loss"])
