"""How long the training steps take."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.pear_speed.memory import peak_memory
from benchmarks.pear_speed.multiplications import multiplications
from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.steps import step_of
from benchmarks.shared.shape import Shape
from benchmarks.shared.timing import clock, fastest_tenth, interleaved


def compare_steps(
    shape: Shape, variants: Sequence[str], device: str, repetitions: int, seconds: float
) -> list[dict[str, Any]]:
    """Time the training steps of one network and batch.

    Args:
        shape: Network and batch.
        variants: Keys of :data:`benchmarks.pear_speed.steps.VARIANTS`.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: Steps of each variant, at most.
        seconds: Time for all of them.

    Returns:
        A record for each variant.
    """
    problem = Problem(shape, device)
    steps, first = {}, {}
    for variant in variants:
        step = step_of(variant, problem)
        start = time.perf_counter()
        step()
        first[variant] = time.perf_counter() - start
        for _ in range(3):
            step()
        steps[variant] = step
    times = interleaved(steps, repetitions, clock(device), seconds)
    plain = multiplications(shape, "plain")
    return [
        {
            "variant": variant,
            "median": statistics.median(times[variant]),
            "fast": fastest_tenth(times[variant]),
            "first": first[variant],
            "bound": multiplications(shape, variant) / plain,
            "memory": peak_memory(variant, shape, device, runs=1 if repetitions <= 3 else 3),
            "steps": len(times[variant]),
        }
        for variant in variants
    ]
