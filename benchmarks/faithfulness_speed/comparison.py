"""What a metric costs on both sides."""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks.faithfulness_speed.memory import peak_memory
from benchmarks.faithfulness_speed.pair import Pair
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.quantus_side import without_check
from benchmarks.shared.timing import fastest_tenth, interleaved
from benchmarks.shared.watched import Watched


@dataclass(frozen=True)
class Side:
    """What one side costs.

    Attributes:
        seconds: Median time.
        fast: Time of the fastest tenth.
        model: Median time inside the model's forward pass.
        evaluations: How often the model is evaluated for one sample.
        memory: What a fresh process grows by, in MB.
    """

    seconds: float
    fast: float
    model: float
    evaluations: float
    memory: float | None


def compare(
    pair: Pair, problem: Problem, repetitions: int, now: Callable[[], float], *, memory: bool
) -> dict[str, Any]:
    """Time a metric on both sides.

    Args:
        pair: The metric.
        problem: Model and samples.
        repetitions: How often, at most.
        now: The clock.
        memory: Whether to measure memory too.

    Returns:
        A record; ``theirs`` is ``None`` where the other package is missing.
    """
    prepare = {"ours": pair.ours}
    if find_spec(pair.package):
        prepare["theirs"] = pair.theirs
    functions = {side: make(problem) for side, make in prepare.items()}
    if pair.package == "quantus" and "theirs" in functions:
        functions["unchecked"] = without_check()(functions["theirs"])
    for function in functions.values():
        function()
    times = interleaved(functions, repetitions, now, seconds=20)
    sides = {"ours": None, "theirs": None} | {
        name: Side(
            seconds=statistics.median(times[name]),
            fast=fastest_tenth(times[name]),
            memory=peak_memory(pair, problem, name) if memory else None,
            **share_of_model(make, problem, now),
        )
        for name, make in prepare.items()
    }
    return {
        "problem": problem.name,
        "samples": len(problem.inputs),
        "metric": pair.name,
        "peer": pair.peer,
        "settings": pair.settings,
        "note": pair.note,
        "runs": len(times["ours"]),
        "unchecked": statistics.median(times["unchecked"]) if "unchecked" in times else None,
    } | {name: side and asdict(side) for name, side in sides.items()}


def share_of_model(
    make: Callable[[Problem], Callable[[], Any]], problem: Problem, now: Callable[[], float]
) -> dict[str, float]:
    """Count evaluations of the model for a sample, and time those of all.

    Args:
        make: Prepares one side.
        problem: Model and samples.
        now: The clock.

    Returns:
        ``evaluations`` and ``model``, in seconds.
    """
    watched = Watched(problem.model, now).eval()
    function = make(problem.with_model(watched))
    seconds = []
    for _ in range(3):
        watched.reset()
        function()
        seconds.append(watched.seconds)
    return {
        "evaluations": watched.samples / len(problem.inputs),
        "model": statistics.median(seconds),
    }
