"""How much memory something takes."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[2]


def growth_on_gpu(function: Callable[[], Any]) -> float:
    """Return the largest amount of the GPU's memory that a call takes, in MB.

    Args:
        function: What is called; once before, so that nothing is left to load.

    Returns:
        Megabytes beyond what was there before.
    """
    function()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    function()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def growth_here(
    function: Callable[[], Any], warm_up: Callable[[], Any], repetitions: int = 1
) -> float:
    """Return by how much calls raise the peak of this process's resident memory, in MB.

    Args:
        function: What is called.
        warm_up: Loads the libraries that are needed, at a smaller size.
        repetitions: How often the function is called.

    Returns:
        Megabytes.
    """
    warm_up()
    warm_up()
    before = resident_peak()
    for _ in range(repetitions):
        function()
    return resident_peak() - before


def growth_in_fresh_processes(name: str, arguments: Sequence[str], runs: int) -> float | None:
    """Return the memory that a benchmark measures in processes of its own, in MB.

    A process that has done other things keeps memory that they have freed, and would not seem to
    grow.

    Args:
        name: Name of the benchmark's package, whose option ``--memory-of`` writes the number.
        arguments: Of that option.
        runs: Processes, of which the median is taken.

    Returns:
        Megabytes, or ``None`` where they cannot be had.
    """
    if not can_read_peak():
        return None
    command = [sys.executable, "-m", f"benchmarks.{name}", "--memory-of", *arguments]
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        for _ in range(runs)
    ]
    return statistics.median(float(answer.splitlines()[-1]) for answer in answers)


def can_read_peak() -> bool:
    """Return whether :func:`resident_peak` works on this system."""
    return Path("/proc/self/status").exists()


def resident_peak() -> float:
    """Return the largest resident memory that this process has had, in MB.

    Not getrusage: there a process starts with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1.024e-3
