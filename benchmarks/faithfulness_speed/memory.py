"""The memory that one side of a metric takes."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.faithfulness_speed.pair import Pair
from benchmarks.faithfulness_speed.pairs import PAIRS
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.shared.json_files import read_json
from benchmarks.shared.memory import growth_here, growth_in_fresh_processes, growth_on_gpu


def peak_memory(pair: Pair, problem: Problem, side: str, runs: int = 1) -> float | None:
    """Return how much memory one side takes beyond model and samples, in MB.

    On the CPU it is measured in fresh processes, which read the problem from a file.

    Args:
        pair: The metric.
        problem: Model and samples.
        side: ``"ours"`` or ``"theirs"``.
        runs: Processes, of which the median is taken.

    Returns:
        Megabytes, or ``None`` where they cannot be had.
    """
    if problem.inputs.is_cuda:
        return growth_on_gpu(getattr(pair, side)(problem))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.pt"
        torch.save(problem, path)
        arguments = [side, str(PAIRS.index(pair)), str(path)]
        return growth_in_fresh_processes("faithfulness_speed", arguments, runs)


def growth(side: str, pair: Pair, path: str) -> float:
    """Return by how much one run raises the peak of this process's resident memory, in MB."""
    problem: Problem = torch.load(path, weights_only=False)  # this benchmark has just written it
    prepare = getattr(pair, side)
    function, warm_up = prepare(problem), prepare(problem.first(1))
    return growth_here(function, warm_up)


def keep_memory(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Fill in the memory that an earlier run measured.

    Args:
        records: Records of this run, changed in place.
        path: Results of the earlier run.
    """
    keys = ("problem", "samples", "metric", "peer", "threads")
    earlier = {tuple(record[key] for key in keys): record for record in read_json(path)["metrics"]}
    for record in records:
        same = earlier.get(tuple(record[key] for key in keys))
        for side in ("ours", "theirs"):
            if same and record[side] and same[side]:
                record[side]["memory"] = same[side]["memory"]
