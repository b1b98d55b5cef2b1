"""How long faithfulness metrics take here, in Quantus and in Captum, and how much memory.

    python -m benchmarks.faithfulness_speed [--data-dir <folder>] [--threads 1 2] [--device cuda]

Compares the metrics that two have on a table and on images, with the same model, samples and
attributions, and counts how often each side evaluates the model and which share of its time that
takes. Then: batches of several sizes; one ``FaithfulnessSuite`` for 14 explanations against metrics
one by one; agreement of the values, and where the two differ on purpose.

Quantus is needed for its own columns only. Its areas need a NumPy that has ``trapz``, below 2.4::

    python -m venv venv && . venv/bin/activate
    pip install torch  # the build of your choice
    pip install "quantus==0.6.0" "numpy<2.4" -e .

Both sides run in one process and take turns; ratios of medians. With one thread, processor time,
which other load on the machine disturbs less than time on the wall; with several, wall time. Memory
is what a fresh process grows by. ``--quick`` does little of everything, to see that it runs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.faithfulness_speed import agreement, report
from benchmarks.faithfulness_speed.pairs import PAIRS, Pair, without_check
from benchmarks.faithfulness_speed.problems import PROBLEMS, Problem
from benchmarks.faithfulness_speed.suite import compare_suite
from benchmarks.shared.measuring import can_read_peak, clock, interleaved, resident_peak
from benchmarks.shared.watched import Watched

OUTPUT = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[2]
SAMPLES = {"table": 512, "light": 32, "wide": 4}
BATCHES = {"table": (1, 16, 64, 512), "light": (1, 8, 32, 128)}
IN_BATCHES = ("faithfulness correlation", "deletion")


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
            fast=sorted(times[name])[len(times[name]) // 10],
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


def peak_memory(pair: Pair, problem: Problem, side: str, runs: int = 1) -> float | None:
    """Return how much memory one side takes beyond model and samples, in MB.

    On the CPU in a fresh process: one that has done other things keeps memory that they have freed,
    and would not seem to grow.

    Args:
        pair: The metric.
        problem: Model and samples.
        side: ``"ours"`` or ``"theirs"``.
        runs: Processes, of which the median is taken.

    Returns:
        Megabytes, or ``None`` where they cannot be had.
    """
    if problem.inputs.is_cuda:
        function = getattr(pair, side)(problem)
        function()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    if not can_read_peak():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.pt"
        torch.save(problem, path)
        command = [sys.executable, "-m", "benchmarks.faithfulness_speed"]
        command += ["--memory-of", side, str(PAIRS.index(pair)), str(path)]
        answers = [
            subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
            for _ in range(runs)
        ]
    return statistics.median(float(answer.splitlines()[-1]) for answer in answers)


def growth(side: str, pair: Pair, path: str) -> float:
    """Return by how much one run raises the peak of this process's resident memory, in MB."""
    problem: Problem = torch.load(path, weights_only=False)  # this script has just written it
    function = getattr(pair, side)(problem)
    warm_up = getattr(pair, side)(problem.first(1))
    warm_up()  # loads libraries
    warm_up()
    before = resident_peak()
    function()
    return resident_peak() - before


def keep_memory(records: Sequence[dict[str, Any]], output: Path) -> None:
    """Fill in the memory that an earlier run measured.

    Args:
        records: Records of this run, changed in place.
        output: Folder of the earlier run's results.
    """
    keys = ("problem", "samples", "metric", "peer", "threads")
    earlier = {
        tuple(record[key] for key in keys): record
        for record in json.loads((output / "results.json").read_text(encoding="utf-8"))["metrics"]
    }
    for record in records:
        same = earlier.get(tuple(record[key] for key in keys))
        for side in ("ours", "theirs"):
            if same and record[side] and same[side]:
                record[side]["memory"] = same[side]["memory"]


def main(argv: Sequence[str] | None = None) -> Path:
    """Measure, print and save.

    Args:
        argv: Command line; ``None`` for that of the process.

    Returns:
        Folder of the results.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--data-dir", type=Path, help="folder of MNIST; without it, small digits")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--no-memory", action="store_true", help="leave out the fresh processes")
    parser.add_argument(
        "--keep-memory", action="store_true", help="take memory from the last run's results"
    )
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="measure agreement alone, keep the last run's times",
    )
    parser.add_argument("--quick", action="store_true", help="few samples, few repetitions")
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads[0])
    if arguments.memory_of:
        side, pair, path = arguments.memory_of
        sys.stdout.write(f"{growth(side, PAIRS[int(pair)], path)}\n")
        return Path(arguments.output)

    results: dict[str, Any]
    if arguments.agreement:
        results = json.loads((arguments.output / "results.json").read_text(encoding="utf-8"))
        results["agreement"] = agreement.measure()
        sys.stdout.write(report.write(results, arguments.output))
        return Path(arguments.output)

    quick, device = arguments.quick, arguments.device
    repetitions = 3 if quick else 15
    problems = {
        name: make(2 if quick else SAMPLES[name], arguments.data_dir, device)
        for name, make in PROBLEMS.items()
        if not (quick and name == "wide")
    }
    results = {
        "machine": {
            "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
            "torch": torch.__version__,
            "numpy": version("numpy"),
            "quantus": version("quantus") if find_spec("quantus") else None,
            "captum": version("captum"),
            "python": platform.python_version(),
            "images": "MNIST" if arguments.data_dir else "scikit-learn's digits, enlarged",
            "load": os.getloadavg()[0],
        },
        "metrics": [],
        "batches": [],
    }
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for problem in problems.values():
            for pair in PAIRS:
                if pair.suits(problem) and not (pair.needs_skimage and not find_spec("skimage")):
                    results["metrics"].append(
                        compare(
                            pair,
                            problem,
                            repetitions,
                            clock(device, threads),
                            memory=threads == arguments.threads[0]
                            and not (arguments.no_memory or arguments.keep_memory),
                        )
                        | {"threads": threads}
                    )
    if arguments.keep_memory:
        keep_memory(results["metrics"], arguments.output)
    torch.set_num_threads(arguments.threads[0])
    now = clock(device, arguments.threads[0])
    for name, sizes in {} if quick else BATCHES.items():
        problem = PROBLEMS[name](max(sizes), arguments.data_dir, device)
        results["batches"] += [
            compare(pair, problem.first(size), repetitions, now, memory=False)
            for pair in PAIRS
            if pair.name in IN_BATCHES and pair.package == "quantus"
            for size in sizes
        ]
    results["suite"] = [
        compare_suite(problem.first(16), 3, now)
        for name, problem in problems.items()
        if name != "wide"
    ]
    results["agreement"] = agreement.measure() if find_spec("quantus") else None
    written = report.write(results, arguments.output)
    sys.stdout.write(written)
    return Path(arguments.output)


if __name__ == "__main__":
    main()
