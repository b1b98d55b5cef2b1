"""How much memory the training steps take."""

from benchmarks.pear_speed.problem import SHAPES, Problem
from benchmarks.pear_speed.steps import mode_of, step_of
from benchmarks.shared.memory import growth_here, growth_in_fresh_processes, growth_on_gpu
from benchmarks.shared.shape import Shape


def peak_memory(variant: str, shape: Shape, device: str, runs: int = 1) -> float | None:
    """Return the largest amount of memory that steps take beyond what was there before, in MB.

    On the CPU each variant has a process of its own. Compiled variants are left out there, because
    the compiler's memory would be counted.

    Args:
        variant: Key of :data:`benchmarks.pear_speed.steps.VARIANTS`.
        shape: Network and batch.
        device: ``"cpu"`` or ``"cuda"``.
        runs: Processes, of which the median is taken.

    Returns:
        Megabytes, or ``None`` where they cannot be had.
    """
    if device != "cpu":
        return growth_on_gpu(step_of(variant, Problem(shape, device)))
    if mode_of(variant):
        return None
    return growth_in_fresh_processes("pear_speed", [variant, str(SHAPES.index(shape))], runs)


def growth(variant: str, shape: Shape) -> float:
    """Return by how much three steps raise the peak of this process's resident memory, in MB."""
    warm_up = step_of(variant, Problem(Shape("", 8, (4,), 2), "cpu", n_rows=64))
    step = step_of(variant, Problem(shape, "cpu"))
    return growth_here(step, warm_up, repetitions=3)
