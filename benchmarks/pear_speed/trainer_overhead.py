"""What the Trainer adds to a training step."""

import statistics
import warnings
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from benchmarks.pear_speed.problem import SHAPES, Problem
from benchmarks.pear_speed.steps import fitted_module
from benchmarks.shared.quiet_trainer import quiet_trainer
from benchmarks.shared.timing import clock
from benchmarks.shared.training_step import optimizer_and_schedule


def trainer_overhead(device: str, n_steps: int) -> list[dict[str, Any]]:
    """Time a step of ``Trainer.fit`` against the same step in a bare loop, at batch 64.

    Batches are made beforehand, and nothing is logged to disk.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        n_steps: Steps of each run; the two take turns, five runs each.

    Returns:
        Records of the loop and the Trainer, median seconds of a step.
    """
    problem = Problem(SHAPES[0], device)
    now = clock(device)
    batches = problem.batches(torch.float32)
    data: Any = [next(batches) for _ in range(max(n_steps // 5, 2))]
    times: dict[str, list[float]] = {"bare loop": [], "Trainer": []}
    for _ in range(5):
        module = fitted_module(problem, paper=False)
        optimizer, _ = optimizer_and_schedule(module)
        start = now()
        for inputs, target in data:
            optimizer.zero_grad()
            module.training_loss((inputs, target))["loss"].backward()
            optimizer.step()
        times["bare loop"].append((now() - start) / len(data))

        stopwatch = Stopwatch(now)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quiet_trainer(
                max_epochs=1,
                accelerator="gpu" if device == "cuda" else "cpu",
                devices=1,
                callbacks=[stopwatch],
            ).fit(fitted_module(problem, paper=False), DataLoader(data, batch_size=None))
        times["Trainer"].append(stopwatch.seconds / len(data))
    return [{"loop": name, "step": statistics.median(values)} for name, values in times.items()]


class Stopwatch(Callback):
    """Times an epoch, without what comes before and after.

    Args:
        now: The clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start."""
        self.start = self.now()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop."""
        self.seconds = self.now() - self.start
