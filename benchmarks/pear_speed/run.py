"""Everything that the benchmark of PEAR's speed measures."""

from collections.abc import Sequence
from typing import Any

from benchmarks.pear_speed.problem import SHAPES
from benchmarks.pear_speed.ranking_share import ranking_shares
from benchmarks.pear_speed.soft_ranks import compare_soft_ranks
from benchmarks.pear_speed.step_times import compare_steps
from benchmarks.pear_speed.trainer_overhead import trainer_overhead
from benchmarks.shared.machine import machine


def run(
    variants: Sequence[str], device: str, threads: int, *, seconds: float, quick: bool
) -> dict[str, Any]:
    """Measure.

    Args:
        variants: Keys of :data:`benchmarks.pear_speed.steps.VARIANTS`.
        device: ``"cpu"`` or ``"cuda"``.
        threads: Number of threads that work.
        seconds: Time for all variants of one network.
        quick: Little of everything, to see that it runs.

    Returns:
        Results that can be written as JSON.
    """
    repetitions = 3 if quick else 300
    return {
        "machine": {"threads": threads, **machine(device)},
        "steps": [
            record
            for shape in SHAPES[: 1 if quick else None]
            for record in compare_steps(shape, variants, device, repetitions, seconds)
        ],
        "shares": ranking_shares(device, repetitions),
        "soft_ranks": compare_soft_ranks(
            (8, 30) if quick else (8, 16, 30, 64, 196, 500, 1000),
            (64,) if quick else (64, 128),
            device,
            repetitions,
        ),
        "trainer": trainer_overhead(device, n_steps=20 if quick else 600),
    }
