"""What would be gained without the second derivative of piecewise linear activations.

The slope of a ReLU is constant between its kinks, so the gradient of a network of them does not
depend on what goes into the activations, and the backward pass through an explanation carries zeros
back through the forward pass: 2 of the 6 passes of a query point. Autograd does not know this. A
network whose activations multiply by their slope, a constant, has no such graph, and the same
gradients. If the loss needs the logits of the query points, their graph remains, so the task loss
has a forward pass of its own here.

This is the most that can be gained: the activations are exchanged beforehand, which a library
would have to do in each step, for networks that it does not know.
"""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.steps import step_of
from benchmarks.pear_speed.trained_sets import LEVERS, pear_of
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import clock, interleaved
from benchmarks.shared.training_step import training_step
from pear_lightning.modules import PEAR
from pear_lightning.modules.base import adamw
from pear_lightning.scoring import Batch
from pear_lightning.training.row_sample import sample_rows

COMPARED = ("all rows", "rows=1/4", "rows=1/8")


class ConstantSlope(nn.Module):
    """A ReLU as a product with its slope, through which no second derivative flows."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply by 1 or 0."""
        return inputs * (inputs > 0)


def without_zeros(network: Any) -> nn.Module:
    """Return a network that shares the layers of an MLP, except for its activations.

    Args:
        network: The MLP.
    """
    layers = [ConstantSlope() if isinstance(each, nn.ReLU) else each for each in network.layers]
    return nn.Sequential(*layers)


def compare_zeros(
    shape: Shape, device: str, repetitions: int, seconds: float
) -> list[dict[str, Any]]:
    """Time steps with the explainers of the shipped configurations, with and without zeros.

    Args:
        shape: Network and batch.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Turns, at most.
        seconds: Time for all of them.

    Returns:
        A record for each share of rows; times are medians over the turns of ratios to the plain
        step of the turn.
    """
    problem = Problem(shape, device)
    steps = {"plain": step_of("plain", problem)}
    for lever in COMPARED:
        for zeros in (True, False):
            steps[f"{lever}/{zeros}"] = _step(problem, LEVERS[lever].rows, zeros)
    for step in steps.values():
        step()
        step()
    times = interleaved(steps, repetitions, clock(device), seconds)

    def over(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))

    return [
        {
            "lever": lever,
            "with": over(f"{lever}/True", "plain"),
            "without": over(f"{lever}/False", "plain"),
            "gain": 1 - over(f"{lever}/False", f"{lever}/True"),
            "turns": len(times["plain"]),
        }
        for lever in COMPARED
    ]


def _step(problem: Problem, rows: float | None, zeros: bool) -> Callable[[], None]:
    module = pear_of("contributions", problem)
    module.objective.rows = rows
    batches = problem.batches(torch.float32)
    optimizer = adamw(module.backbone.parameters())
    if zeros:
        return training_step(optimizer, lambda: module.training_loss(next(batches))["loss"])
    explained = without_zeros(module.backbone)
    return training_step(optimizer, lambda: loss_without_zeros(module, explained, *next(batches)))


def loss_without_zeros(
    module: PEAR, explained: nn.Module, inputs: Tensor, target: Tensor
) -> Tensor:
    """Return the objective, with the consensus loss of another network of the same layers.

    Args:
        module: The module.
        explained: The network that is explained.
        inputs: Rows of a batch.
        target: Their classes.
    """
    batch, weight = Batch(inputs, target), module.consensus_weight
    rows = module.objective.rows
    sample = None if rows is None else sample_rows(batch, module.consensus, rows, step=0, rank=0)
    scale, part = (1.0, batch) if sample is None else (sample.scale, sample.batch)
    _, consensus = module.consensus.of_model(explained, part)
    task_loss = F.cross_entropy(module.backbone(inputs), target)
    return (1 - weight) * task_loss + weight * scale * consensus
