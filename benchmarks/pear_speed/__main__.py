"""How long a training step of PEAR takes, and how much memory.

    python -m benchmarks.pear_speed [--device cuda] [--quick]

Compares, on random data: plain steps with steps of PEAR on a share of the rows and of the steps,
for four sets of explainers; then plain cross-entropy, the authors' way (``authors_way.py``), and
ours with the paper's settings, with the library's, and compiled (on a GPU also with CUDA graphs).
Then: where the time goes, what could be gained by leaving out second derivatives that are zero,
which share soft ranking has in the shipped configurations, soft ranks against torchsort where that
is installed, and what the Trainer adds to a step.

Variants are timed in turns, in one process, with one thread (``--threads``). Times on the CPU are
processor time, which other load on the machine disturbs less than time on the wall; medians, and
the fastest tenth. A finished part is appended to ``runs.jsonl`` in the output folder and skipped
the next time; ``--only`` chooses parts by regular expressions on ``part/network/explainers``.
``--quick`` does little of everything, to see that it runs. ``--report`` writes the report from the
finished parts.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.pear_speed.memory import growth
from benchmarks.pear_speed.problem import SHAPES
from benchmarks.pear_speed.report import write_report
from benchmarks.pear_speed.run import KEYS, Effort, jobs, run
from benchmarks.shared.command_line import command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs


def main(argv: Sequence[str] | None = None) -> Path:
    """Measure what is missing, print and save.

    Args:
        argv: Command line; ``None`` for that of the process.

    Returns:
        Folder of the results.
    """
    parser = command_line("pear_speed", __doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="per network, for all variants")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--quick", action="store_true", help="smallest network, few repetitions")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    output: Path = arguments.output
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        variant, shape = arguments.memory_of
        sys.stdout.write(f"{growth(variant, SHAPES[int(shape)])}\n")
        return output
    output.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        _measure_missing(arguments, output / "runs.jsonl")
    sys.stdout.write(write_report(read_runs(output / "runs.jsonl"), output))
    return output


def _measure_missing(arguments: argparse.Namespace, path: Path) -> None:
    """Measure what is asked for and not finished."""
    effort = Effort(
        arguments.device,
        arguments.threads,
        arguments.seconds,
        compiled=not arguments.no_compile,
        quick=arguments.quick,
    )
    done = finished(path, KEYS)
    for pattern in arguments.only:
        for job in jobs(quick=arguments.quick):
            if job in done or not re.search(pattern, "/".join(job)):
                continue
            append_run(path, run(job, effort))
            done.add(job)
            sys.stdout.write(f"finished {' / '.join(filter(None, job))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
