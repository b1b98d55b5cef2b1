"""Right for the right reasons: golden numbers, the family, masks of any quality, and the cost.

    python -m benchmarks.right_reasons --data-dir <folder>

``<folder>`` holds ``MNIST/raw`` and ``FashionMNIST/raw`` (as torchvision keeps them) and
``20newsgroups``; without it, the experiments that need no files run. matplotlib draws the figures.

Each run is one model (or a sequence of models), in one thread. A finished run is appended to
``runs.jsonl`` in the output folder and skipped the next time, so a stopped benchmark resumes where
it was; the most important runs come first. ``--only`` chooses runs by regular expressions on
``experiment/setting/seed`` (``settings.py`` lists the settings), for example
``--only 'iris/' 'mnist/(none|mask)/'``. ``--minutes`` stops before a run that would begin later.
``--report`` writes the report from the finished runs without training; ``--cost`` times steps.
"""

import argparse
import re
import time
from pathlib import Path

from benchmarks.right_reasons.order import in_order
from benchmarks.right_reasons.records import KEYS
from benchmarks.right_reasons.settings import EXPERIMENTS
from benchmarks.shared.command_line import command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs
from benchmarks.shared.one_thread import one_thread

NEED_FILES = ("mnist", "news")


def main() -> None:
    """Train what is missing, then write the report."""
    parser = command_line("right_reasons", __doc__)
    parser.add_argument("--data-dir", help="folder of MNIST, Fashion-MNIST and 20 Newsgroups")
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing later")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--no-report", action="store_true", help="train, write no report")
    parser.add_argument("--cost", action="store_true", help="time training steps, train nothing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    one_thread()
    if arguments.cost:
        from benchmarks.right_reasons.cost import measure_cost  # after the threads are limited

        measure_cost(arguments.output)
    elif not arguments.report:
        _train_missing(arguments, path)
    if not arguments.no_report:
        from benchmarks.right_reasons.report import write_report

        write_report(read_runs(path), arguments.output)


def _train_missing(arguments: argparse.Namespace, path: Path) -> None:
    """Train what is asked for and not finished."""
    from benchmarks.right_reasons.run import run  # after the threads are limited

    done = finished(path, KEYS)
    start = time.monotonic()
    for pattern in arguments.only:
        for experiment, name, seed in in_order():
            setting = EXPERIMENTS[experiment][name]
            wanted = re.search(pattern, f"{experiment}/{name}/{seed}")
            readable = arguments.data_dir is not None or setting.data not in NEED_FILES
            if not wanted or not readable or (experiment, name, seed) in done:
                continue
            if time.monotonic() - start > 60 * arguments.minutes:
                return
            if arguments.max_epochs is not None:
                setting = setting.but(epochs=min(setting.epochs, arguments.max_epochs))
            pictures = arguments.output / "pictures" if seed == 0 else None
            record = run(experiment, name, setting, seed, arguments.data_dir, pictures)
            done.add((experiment, name, seed))
            append_run(path, record)
            tests = " ".join(f"{model['test']:.4f}" for model in record["models"])
            print(
                f"{experiment}/{name}/{seed}: test {tests}, {record['cpu_seconds']:.0f} s of CPU",
                flush=True,
            )


if __name__ == "__main__":
    main()
