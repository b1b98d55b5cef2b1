"""How long a training step of PEAR takes, and how much memory.

    python -m benchmarks.pear_speed [--device cuda] [--quick]

Compares, on random data: plain cross-entropy, the authors' way (``authors_way.py``), and ours with
the paper's settings, with the library's, and compiled. Then: which share soft ranking has in the
shipped configurations, soft ranks against torchsort where that is installed, and what the Trainer
adds to a step.

Variants are timed in turns, in one process, with one thread (``--threads``). Times on the CPU are
processor time, which other load on the machine disturbs less than time on the wall; medians, and
the fastest tenth. ``--quick`` does little of everything, to see that it runs.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.pear_speed import report
from benchmarks.pear_speed.steps import (
    SHAPES,
    VARIANTS,
    Problem,
    Shape,
    multiplications,
    training_step,
)
from benchmarks.pear_speed.trainer import ranking_shares, trainer_overhead
from benchmarks.shared.measuring import can_read_peak, clock, interleaved, resident_peak
from pear_lightning.functional import soft_rank
from pear_lightning.functional.soft_rank import SoftRankBackend

OUTPUT = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[2]


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
        step = training_step(variant, problem)
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
            "shape": shape.name,
            "variant": variant,
            "median": statistics.median(times[variant]),
            "fast": _fastest_tenth(times[variant]),
            "first": first[variant],
            "bound": multiplications(shape, variant) / plain,
            "memory": peak_memory(variant, shape, device, runs=1 if repetitions <= 3 else 3),
            "steps": len(times[variant]),
        }
        for variant in variants
    ]


def peak_memory(variant: str, shape: Shape, device: str, runs: int = 1) -> float | None:
    """Return the largest amount of memory that steps take beyond what was there before, in MB.

    On the CPU each variant has a fresh process: one that has timed others keeps memory they have
    freed, and would not seem to grow. Compiled variants are left out there, because the compiler's
    memory would be counted.

    Args:
        variant: Key of :data:`benchmarks.pear_speed.steps.VARIANTS`.
        shape: Network and batch.
        device: ``"cpu"`` or ``"cuda"``.
        runs: Processes, of which the median is taken.

    Returns:
        Megabytes, or ``None`` where they cannot be had.
    """
    if device != "cpu":
        step = training_step(variant, Problem(shape, device))
        step()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    if variant.endswith("_compiled") or not can_read_peak():
        return None
    command = [sys.executable, "-m", "benchmarks.pear_speed"]
    command += ["--memory-of", variant, str(SHAPES.index(shape))]
    answers = [
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
        for _ in range(runs)
    ]
    return statistics.median(float(answer.splitlines()[-1]) for answer in answers)


def growth(variant: str, shape: Shape) -> float:
    """Return by how much steps raise the peak of this process's resident memory, in MB."""
    warm_up = training_step(variant, Problem(Shape("", 8, (4,), 2), "cpu", n_rows=64))
    step = training_step(variant, Problem(shape, "cpu"))
    warm_up()  # loads libraries
    warm_up()
    before = resident_peak()
    for _ in range(3):
        step()
    return resident_peak() - before


def compare_soft_ranks(
    sizes: Sequence[int], batches: Sequence[int], device: str, repetitions: int
) -> list[dict[str, Any]]:
    """Time soft ranks, forward and backward, against torchsort's.

    Rows are absolute values of normal numbers divided by the row's largest, float32, strength
    0.4/n.

    Args:
        sizes: Entries of a row.
        batches: Rows.
        device: ``"cpu"`` or ``"cuda"``.
        repetitions: How often.

    Returns:
        A record for each size and batch; ``torchsort`` is ``None`` where it is not installed.
    """
    installed = find_spec("torchsort") is not None
    records = []
    for rows in batches:
        for n in sizes:
            generator = torch.Generator().manual_seed(n)
            x = torch.randn(rows, n, generator=generator).abs()
            x = (x / x.amax(1, keepdim=True)).to(device).requires_grad_()
            upstream = torch.randn(rows, n, generator=generator).to(device)

            backends: tuple[SoftRankBackend, ...] = ("torch", "torchsort")
            functions: dict[str, Callable[[], Tensor]] = {
                backend: partial(_rank_and_back, x, upstream, backend)
                for backend in backends[: 2 if installed else 1]
            }
            results = [function() for function in functions.values()]
            if installed:
                scale = upstream.abs().max() * n / 0.4
                torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-4 * scale.item())
            times = interleaved(functions, repetitions, clock(device), seconds=20)
            medians = {name: statistics.median(values) for name, values in times.items()}
            records.append({"rows": rows, "n": n, "torchsort": None} | medians)
    return records


def _rank_and_back(x: Tensor, upstream: Tensor, backend: SoftRankBackend) -> Tensor:
    if backend == "torchsort":
        import torchsort  # as itself: soft_rank(backend="torchsort") adds float64 and checks

        ranks: Tensor = torchsort.soft_rank(x, regularization_strength=0.4 / x.shape[-1])
    else:
        ranks = soft_rank(x, 0.4 / x.shape[-1], validate=False)
    return torch.autograd.grad(ranks, x, upstream)[0]


def _fastest_tenth(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 10]


def main(argv: Sequence[str] | None = None) -> Path:
    """Measure, print and save.

    Args:
        argv: Command line; ``None`` for that of the process.

    Returns:
        Folder of the results.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seconds", type=float, default=60, help="per network, for all variants")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--quick", action="store_true", help="smallest network, few repetitions")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        variant, shape = arguments.memory_of
        sys.stdout.write(f"{growth(variant, SHAPES[int(shape)])}\n")
        return Path(arguments.output)
    device, quick = arguments.device, arguments.quick
    variants = [v for v in VARIANTS if not (arguments.no_compile and v.endswith("_compiled"))]
    repetitions = 3 if quick else 300
    results: dict[str, Any] = {
        "machine": {
            "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
            "threads": arguments.threads,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "steps": [
            record
            for shape in SHAPES[: 1 if quick else None]
            for record in compare_steps(shape, variants, device, repetitions, arguments.seconds)
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
    written = report.write(results, arguments.output)
    sys.stdout.write(written)
    return Path(arguments.output)


if __name__ == "__main__":
    main()
