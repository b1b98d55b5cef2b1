"""What one extra gradient costs: a step of Right for the Right Reasons against a plain one."""

import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.shared.json_files import write_json
from benchmarks.shared.timing import interleaved, several
from benchmarks.shared.training_step import training_step
from pear_lightning.modules import RightForTheRightReasons
from pear_lightning.nn import MLP

ROUNDS = 9


def cnn() -> nn.Module:
    """The network of Friedrich et al. (2023): two convolutions of 20 and 50 channels."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 256),
        nn.ReLU(),
        nn.Linear(256, 10),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "MLP 784-50-30-10, batch 256": (lambda: MLP(784, 10, (50, 30)), 40),
    "MLP 784-512-10, batch 256": (lambda: MLP(784, 10, (512,)), 8),
    "CNN 20-50-256, batch 64": (cnn, 2),
}


def by_hand(backbone: nn.Module, inputs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The same loss by two calls of autograd, without any check: the least that it can cost."""
    inputs = inputs.clone().requires_grad_()
    log_p = backbone(inputs).log_softmax(dim=1)
    (gradient,) = torch.autograd.grad(log_p.sum(), inputs, create_graph=True)
    reasons = (gradient * mask).square().sum(dim=1).mean()
    return F.nll_loss(log_p, target) + reasons


def losses_of(
    module: RightForTheRightReasons, inputs: Tensor, target: Tensor, mask: Tensor
) -> dict[str, Callable[[], Tensor]]:
    """Return functions from a batch to its loss: plain, with reasons, by hand, and compiled."""
    losses: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: F.cross_entropy(module.backbone(inputs), target),
        "reasons": lambda: module.training_loss((inputs, target, mask))["loss"],
        "by hand": lambda: by_hand(module.backbone, inputs, target, mask),
    }
    compiled = {
        f"{kind}, compiled": torch.compile(losses[kind], dynamic=False)
        for kind in ("plain", "reasons")
    }
    return losses | compiled


def measure_cost(output: Path) -> None:
    """Time steps and write ``cost.json``.

    Plain steps and steps with the loss alternate; the median over rounds is reported, in
    milliseconds of CPU time on one thread. Compiled is the function from a batch to the loss, and
    with it the backward pass, not the optimiser.

    Args:
        output: Folder to write to.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    results: dict[str, dict[str, float]] = {}
    for name, (make, n_steps) in NETWORKS.items():
        torch.manual_seed(0)
        size = int(name.split()[-1])
        inputs, target = torch.rand(size, 784), torch.randint(10, (size,))
        mask = torch.zeros(size, 784, dtype=torch.bool)
        mask[:, :16] = True
        module = RightForTheRightReasons(make(), 1.0, num_classes=10)
        optimizer = module.make_optimizer()
        steps = {
            kind: several(training_step(optimizer, loss), n_steps)
            for kind, loss in losses_of(module, inputs, target, mask).items()
        }
        for step in steps.values():
            step()  # warms up
        times = interleaved(steps, ROUNDS, time.process_time, seconds=math.inf)
        results[name] = {
            kind: 1000 * statistics.median(each) / n_steps for kind, each in times.items()
        }
        print(name, {kind: round(value, 2) for kind, value in results[name].items()}, flush=True)
    write_json(output / "cost.json", results)
