"""Everything that the benchmark of the faithfulness metrics' speed measures."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.faithfulness_speed import agreement
from benchmarks.faithfulness_speed.comparison import compare
from benchmarks.faithfulness_speed.explainer_times import ROWS, compare_explainers
from benchmarks.faithfulness_speed.memory import keep_memory, peak_memory
from benchmarks.faithfulness_speed.pairs import PAIRS
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.problems import PROBLEMS
from benchmarks.faithfulness_speed.settings import BATCHES, IN_BATCHES, SAMPLES
from benchmarks.faithfulness_speed.suite import compare_suite
from benchmarks.shared.machine import machine
from benchmarks.shared.timing import clock

Records = list[dict[str, Any]]


def run(
    device: str,
    threads: Sequence[int],
    data_dir: Path | None,
    *,
    memory: bool,
    memory_from: Path | None,
    repetitions: int,
    quick: bool,
) -> dict[str, Any]:
    """Measure.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        threads: Numbers of threads; memory, batches and suites are measured with the first.
        data_dir: Folder of MNIST; without it, small digits.
        memory: Whether to measure memory, in fresh processes.
        memory_from: Results of an earlier run, whose memory is kept.
        repetitions: How often each side runs, at most.
        quick: Little of everything, to see that it runs.

    Returns:
        Results that can be written as JSON.
    """
    problems = {
        name: make(2 if quick else SAMPLES[name], data_dir, device)
        for name, make in PROBLEMS.items()
        if not (quick and name == "wide")
    }
    results: dict[str, Any] = {
        "machine": {
            **machine(device),
            "numpy": version("numpy"),
            "quantus": version("quantus") if find_spec("quantus") else None,
            "captum": version("captum"),
            "torchxai": version("torchxai-tools") if find_spec("torchxai") else None,
            "images": "MNIST" if data_dir else "scikit-learn's digits, enlarged",
        },
        "metrics": [],
    }
    repetitions = 3 if quick else repetitions
    for n in threads:
        measured = memory and n == threads[0]
        results["metrics"] += _metrics(problems, repetitions, device, n, memory=measured)
    if memory_from is not None:
        keep_memory(results["metrics"], memory_from)
    torch.set_num_threads(threads[0])
    now = clock(device, threads[0])
    results["batches"] = [
        compare(pair, problem.first(size), repetitions, now, memory=False)
        for name, sizes in ({} if quick else BATCHES).items()
        for problem in [PROBLEMS[name](max(sizes), data_dir, device)]
        for pair in PAIRS
        if pair.name in IN_BATCHES and pair.package == "quantus"
        for size in sizes
    ]
    results["suite"] = [
        compare_suite(problem.first(16), 3, now)
        for name, problem in problems.items()
        if name != "wide"
    ]
    results["explainers"] = compare_explainers(
        PROBLEMS["table"](2 if quick else ROWS, data_dir, device), 3, now
    )
    results["agreement"] = agreement.measure() if find_spec("quantus") else None
    return results


def measure_memory(
    results: dict[str, Any], sides: Sequence[str], data_dir: Path | None, device: str
) -> None:
    """Measure memory alone, and put it in the place of that of the last run.

    Args:
        results: Results of the last run, changed in place.
        sides: ``"ours"``, ``"theirs"``, or both.
        data_dir: Folder of MNIST; without it, small digits.
        device: ``"cpu"`` or ``"cuda"``.
    """
    first = results["metrics"][0]["threads"]
    problems = [make(SAMPLES[name], data_dir, device) for name, make in PROBLEMS.items()]
    of_name = {problem.name: problem for problem in problems}
    of_peer = {(pair.name, pair.peer): pair for pair in PAIRS}
    for record in results["metrics"]:
        pair, problem = of_peer[record["metric"], record["peer"]], of_name[record["problem"]]
        for side in sides if record["threads"] == first else ():
            if record[side]:
                record[side]["memory"] = peak_memory(pair, problem, side)


def _metrics(
    problems: dict[str, Problem], repetitions: int, device: str, threads: int, *, memory: bool
) -> Records:
    """Compare all metrics on all problems with one number of threads."""
    torch.set_num_threads(threads)
    now = clock(device, threads)
    return [
        compare(pair, problem, repetitions, now, memory=memory) | {"threads": threads}
        for problem in problems.values()
        for pair in PAIRS
        if pair.suits(problem) and not (pair.needs_skimage and not find_spec("skimage"))
    ]
