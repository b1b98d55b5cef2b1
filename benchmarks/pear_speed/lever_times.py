"""How much of a step's price the levers of training take away."""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Trainer

from benchmarks.pear_speed.multiplications import amortised
from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.steps import step_of
from benchmarks.pear_speed.trained_sets import Lever, levers_of, pear_of, points_and_copies
from benchmarks.shared.quiet_trainer import quiet_trainer, silence_lightning
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import clock, interleaved, several
from benchmarks.shared.training_step import Step, training_step
from pear_lightning.modules import PEAR
from pear_lightning.modules.base import adamw

STEPS_AT_ONCE = 4  # as many as the largest distance of steps with the loss


def compare_levers(
    shape: Shape, trained: str, device: str, repetitions: int, seconds: float, *, compiled: bool
) -> list[dict[str, Any]]:
    """Time the steps of a set of explainers with each lever, and plain steps.

    Four steps of each variant take turns. A ratio is the median, over the turns, of the time of a
    variant over that of the plain steps of the same turn.

    Args:
        shape: Network and batch.
        trained: Key of :data:`benchmarks.pear_speed.trained_sets.SETS`.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Turns, at most.
        seconds: Time for all of them.
        compiled: Whether compiled variants are measured.

    Returns:
        A record for each lever.
    """
    levers = levers_of(trained, shape, compiled=compiled)
    problem = Problem(shape, device)
    module = pear_of(trained, problem)
    step = step_of_module(module, problem, device)
    functions = {"plain": several(step_of("plain", problem), STEPS_AT_ONCE)}
    functions |= {name: _with(module, lever, step) for name, lever in levers.items()}
    for function in functions.values():
        function()
    times = interleaved(functions, repetitions, clock(device), seconds)
    plain, needed = times["plain"], points_and_copies(trained, shape.in_features)
    return [
        {
            "lever": name,
            "ratio": statistics.median(t / p for t, p in zip(times[name], plain, strict=True)),
            "step": statistics.median(times[name]) / STEPS_AT_ONCE,
            "plain": statistics.median(plain) / STEPS_AT_ONCE,
            "bound": amortised(shape, *needed, lever.rows, lever.every),
            "turns": len(plain),
        }
        for name, lever in levers.items()
    ]


def step_of_module(module: PEAR, problem: Problem, device: str) -> Step:
    """Return a function that does one step, and lets a Trainer count it.

    Args:
        module: The module, whose objective may change between steps.
        problem: The data.
        device: ``"cpu"`` or ``"cuda"``.
    """
    module.trainer = trainer = _counter(device)
    progress = trainer.fit_loop.epoch_loop.batch_progress
    batches = problem.batches(torch.float32)

    def loss() -> torch.Tensor:
        progress.increment_ready()
        return module.training_loss(next(batches))["loss"]

    return training_step(adamw(module.backbone.parameters()), loss)


def _counter(device: str) -> Trainer:
    """Return a Trainer that counts steps, by which the objective knows when to compute its loss."""
    silence_lightning()
    return quiet_trainer(accelerator="gpu" if device == "cuda" else "cpu", devices=1)


def _with(module: PEAR, lever: Lever, step: Step) -> Callable[[], None]:
    steps = several(step, STEPS_AT_ONCE)

    def run() -> None:
        module.objective.rows, module.objective.every = lever.rows, lever.every
        module.objective.compile_loss = lever.compiled
        steps()

    return run
