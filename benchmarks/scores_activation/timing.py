"""What scores cost."""

import platform
from typing import Any

import torch

from benchmarks.scores_activation.reading_time import TABLES_TIMED, time_table
from benchmarks.scores_activation.step_time import SHAPES, overhead


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure everything.

    Args:
        quick: A trial with few repetitions and without the slow explainers.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    shapes = list(SHAPES.items())[: 2 if quick else None]
    return {
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
        "steps": [overhead(shape, 4 if quick else blocks) for shape, blocks in shapes],
        "tables": [time_table(name, quick) for name in TABLES_TIMED],
    }
