"""Where the time of a training step goes, from torch's profiler."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.pear_speed.lever_times import step_of_module
from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.steps import step_of
from benchmarks.pear_speed.trained_sets import LEVERS, pear_of
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import several

PRODUCTS = ("aten::addmm", "aten::mm", "aten::bmm", "aten::addmv", "aten::mv")


def time_shares(shape: Shape, device: str, repetitions: int) -> list[dict[str, Any]]:
    """Profile plain steps, and steps of PEAR with the explainers of the shipped configurations.

    The profiler counts time on the wall, also while other load interrupts an operation; shares are
    medians over the repetitions.

    Args:
        shape: Network and batch.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Profiles of each, of one step or of as many as there are to one with the loss.

    Returns:
        A record for each: shares of matrix products, of other operations on tensors, and of the
        rest, Python and the bookkeeping of autograd and of the profiler.
    """
    problem = Problem(shape, device)
    plain = step_of("plain", problem)
    records = [{"what": "plain", **_shares(plain, device, repetitions)}]
    module = pear_of("contributions", problem)
    step = step_of_module(module, problem, device)
    for name, lever in LEVERS.items():
        module.objective.rows, module.objective.every = lever.rows, lever.every
        steps = several(step, lever.every)
        records.append({"what": name, **_shares(steps, device, repetitions)})
    return records


def _shares(steps: Callable[[], None], device: str, repetitions: int) -> dict[str, float]:
    for _ in range(4):
        steps()
    found = [_profiled(steps, device) for _ in range(repetitions)]
    products, operations = (statistics.median(each) for each in zip(*found, strict=True))
    return {"products": products, "operations": operations}


def _profiled(steps: Callable[[], None], device: str) -> tuple[float, float]:
    cuda = [ProfilerActivity.CUDA] if device == "cuda" else []
    with profile(activities=[ProfilerActivity.CPU, *cuda]) as profiler:
        start = time.perf_counter()
        steps()
        seconds = time.perf_counter() - start
    products = operations = 0.0
    for event in profiler.key_averages():
        own = event.self_device_time_total if cuda else event.self_cpu_time_total
        if event.key in PRODUCTS:
            products += own / 1e6
        elif event.key.startswith("aten::"):
            operations += own / 1e6
    return products / seconds, operations / seconds
