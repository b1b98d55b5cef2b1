"""How long a training step of PEAR takes, and how much memory.

    python -m benchmarks.pear_speed [--device cuda] [--quick]

Compares, on random data: plain cross-entropy, the authors' way (``authors_way.py``), and ours with
the paper's settings, with the library's, and compiled. Then: which share soft ranking has in the
shipped configurations, soft ranks against torchsort where that is installed, and what the Trainer
adds to a step.

Variants are timed in turns, in one process, with one thread (``--threads``). Times on the CPU are
processor time, which other load on the machine disturbs less than time on the wall; medians, and
the fastest tenth. ``--quick`` does little of everything, to see that it runs. ``--report`` writes
the report from ``results.json`` in the output folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.pear_speed.memory import growth
from benchmarks.pear_speed.problem import SHAPES
from benchmarks.pear_speed.report import write_report
from benchmarks.pear_speed.run import run
from benchmarks.pear_speed.steps import VARIANTS
from benchmarks.shared.command_line import command_line
from benchmarks.shared.json_files import read_json, write_json


def main(argv: Sequence[str] | None = None) -> Path:
    """Measure, print and save.

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
        variants = [v for v in VARIANTS if not (arguments.no_compile and v.endswith("_compiled"))]
        results = run(
            variants,
            arguments.device,
            arguments.threads,
            seconds=arguments.seconds,
            quick=arguments.quick,
        )
        write_json(output / "results.json", results)
    sys.stdout.write(write_report(read_json(output / "results.json"), output))
    return output


if __name__ == "__main__":
    main()
