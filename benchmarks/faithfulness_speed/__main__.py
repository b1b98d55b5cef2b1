"""How long faithfulness metrics take here, in Quantus, Captum and TorchXAI, and how much memory.

    python -m benchmarks.faithfulness_speed [--data-dir <folder>] [--threads 1 2] [--device cuda]

Compares the metrics that two of them have on a table and on images, with the same model, samples
and attributions, and counts how often each side evaluates the model and which share of its time
that takes. Then: batches of several sizes; one ``FaithfulnessSuite`` for 14 explanations against
metrics one by one; KernelSHAP and LIME of many rows against Captum's; agreement of the values with
Quantus', and where the two differ on purpose.

Quantus and TorchXAI are needed for their own columns only. Quantus' areas need a NumPy that has
``trapz``, below 2.4::

    python -m venv venv && . venv/bin/activate
    pip install torch  # the build of your choice
    pip install "quantus==0.6.0" "numpy<2.4" -e .
    pip install --no-deps torchxai-tools  # 0.1.3 asks for NumPy 1, and runs with 2

Both sides run in one process and take turns; ratios of medians. With one thread, processor time,
which other load on the machine disturbs less than time on the wall; with several, wall time. Memory
is what a fresh process grows by. ``--quick`` does little of everything, to see that it runs.
``--report`` writes the report from ``results.json`` in the output folder.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.faithfulness_speed import agreement
from benchmarks.faithfulness_speed.memory import growth
from benchmarks.faithfulness_speed.pairs import PAIRS
from benchmarks.faithfulness_speed.report import write_report
from benchmarks.faithfulness_speed.run import measure_memory, run
from benchmarks.shared.command_line import command_line
from benchmarks.shared.json_files import read_json, write_json


def main(argv: Sequence[str] | None = None) -> Path:
    """Measure, print and save.

    Args:
        argv: Command line; ``None`` for that of the process.

    Returns:
        Folder of the results.
    """
    parser = command_line("faithfulness_speed", __doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--data-dir", type=Path, help="folder of MNIST; without it, small digits")
    parser.add_argument("--no-memory", action="store_true", help="leave out the fresh processes")
    parser.add_argument(
        "--keep-memory", action="store_true", help="take memory from the last run's results"
    )
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="measure agreement alone, keep the last run's times",
    )
    parser.add_argument(
        "--memory",
        nargs="+",
        choices=["ours", "theirs"],
        help="measure memory of these sides alone, keep the last run's times",
    )
    parser.add_argument("--repetitions", type=int, default=15, help="of each side, at most")
    parser.add_argument("--quick", action="store_true", help="few samples, few repetitions")
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    output: Path = arguments.output
    torch.set_num_threads(arguments.threads[0])
    if arguments.memory_of:
        side, pair, problem = arguments.memory_of
        sys.stdout.write(f"{growth(side, PAIRS[int(pair)], problem)}\n")
        return output

    output.mkdir(parents=True, exist_ok=True)
    path = output / "results.json"
    if not arguments.report:
        results: dict[str, Any]
        if arguments.agreement:
            results = read_json(path) | {"agreement": agreement.measure()}
        elif arguments.memory:
            results = read_json(path)
            measure_memory(results, arguments.memory, arguments.data_dir, arguments.device)
        else:
            results = run(
                arguments.device,
                arguments.threads,
                arguments.data_dir,
                memory=not (arguments.no_memory or arguments.keep_memory),
                memory_from=path if arguments.keep_memory else None,
                repetitions=arguments.repetitions,
                quick=arguments.quick,
            )
        write_json(path, results)
    sys.stdout.write(write_report(read_json(path), output))
    return output


if __name__ == "__main__":
    main()
