"""What one extra gradient costs: a step of Right for the Right Reasons against a plain one."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

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


def measure_cost(output: Path) -> None:
    """Time steps and write ``cost.json``.

    Plain steps and steps with the loss alternate, so that a machine that is busy for a while slows
    both; the median over rounds is reported, in milliseconds of CPU time on one thread. Compiled
    is the function from a batch to the loss, and with it the backward pass, not the optimiser.

    Args:
        output: Folder to write to.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    results: dict[str, Any] = {}
    for name, (make, steps) in NETWORKS.items():
        torch.manual_seed(0)
        size = int(name.split()[-1])
        inputs, target = torch.rand(size, 784), torch.randint(10, (size,))
        mask = torch.zeros(size, 784, dtype=torch.bool)
        mask[:, :16] = True
        module = RightForTheRightReasons(make(), 1.0, num_classes=10)
        backbone, optimizer = module.backbone, module.make_optimizer()
        losses: dict[str, Callable[[], Tensor]] = {
            "plain": lambda: F.cross_entropy(backbone(inputs), target),  # noqa: B023
            "reasons": lambda: module.training_loss(inputs, target, mask)["loss"],  # noqa: B023
            "by hand": lambda: by_hand(backbone, inputs, target, mask),  # noqa: B023
        }
        for kind in ("plain", "reasons"):
            losses[f"{kind}, compiled"] = torch.compile(losses[kind], dynamic=False)
        times: dict[str, list[float]] = {kind: [] for kind in losses}
        for round_ in range(ROUNDS + 1):
            for kind, loss in losses.items():
                start = time.process_time()
                for _ in range(steps):
                    optimizer.zero_grad()
                    loss().backward()
                    optimizer.step()
                if round_:  # the first warms up
                    times[kind].append(1000 * (time.process_time() - start) / steps)
        results[name] = {kind: statistics.median(each) for kind, each in times.items()}
        print(name, {kind: round(value, 2) for kind, value in results[name].items()}, flush=True)
    (output / "cost.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
