"""How long something takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch


def clock(device: str, threads: int = 1) -> Callable[[], float]:
    """Return the clock of a device: seconds on the processor, or on the wall after synchronising.

    Processor time of a single thread suffers less from other load on the machine than wall time;
    of several threads it would add up.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        threads: Number of threads that work.

    Returns:
        The clock.
    """
    if device == "cpu":
        return time.process_time if threads == 1 else time.perf_counter

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def interleaved(
    functions: Mapping[str, Callable[[], Any]],
    repetitions: int,
    now: Callable[[], float],
    seconds: float = 60,
) -> dict[str, list[float]]:
    """Time functions in turns, so that a machine that is busy for a while slows all of them.

    Args:
        functions: Functions by name; each has run before, so that nothing is left to compile.
        repetitions: How often each runs, at most.
        now: The clock.
        seconds: Stop after so long, with three repetitions at least.

    Returns:
        Seconds of each run, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    begin = time.monotonic()
    for repetition in range(repetitions):
        for name, function in functions.items():
            start = now()
            function()
            times[name].append(now() - start)
        if repetition >= 2 and time.monotonic() - begin > seconds:
            break
    return times


def several(function: Callable[[], Any], times: int) -> Callable[[], None]:
    """Return a function that calls another several times, where one call is too short to time."""

    def call() -> None:
        for _ in range(times):
            function()

    return call


def fastest_tenth(times: Sequence[float]) -> float:
    """Return the time that a tenth of the runs stayed below."""
    return sorted(times)[len(times) // 10]
