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
import json
import os
import re
import time
from pathlib import Path
from typing import Any

# one thread: networks are small, and results come out the same
os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
os.environ |= {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}

from benchmarks.right_reasons.settings import EXPERIMENTS, in_order

OUTPUT = Path(__file__).parent / "results"
NEED_FILES = ("mnist", "news")


def read_runs(output: Path) -> list[dict[str, Any]]:
    """Return the records of the finished runs, in the order in which they finished."""
    path = output / "runs.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def train_missing(arguments: argparse.Namespace) -> None:
    """Train what is asked for and not finished."""
    from benchmarks.right_reasons.run import run

    done = {(r["experiment"], r["setting"], r["seed"]) for r in read_runs(arguments.output)}
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
            with (arguments.output / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            tests = " ".join(f"{model['test']:.4f}" for model in record["models"])
            print(
                f"{experiment}/{name}/{seed}: test {tests}, {record['cpu_seconds']:.0f} s of CPU",
                flush=True,
            )


def main() -> None:
    """Train what is missing, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", help="folder of MNIST, Fashion-MNIST and 20 Newsgroups")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing later")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--report", action="store_true", help="write the report, train nothing")
    parser.add_argument("--no-report", action="store_true", help="train, write no report")
    parser.add_argument("--cost", action="store_true", help="time training steps, train nothing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if arguments.cost:
        from benchmarks.right_reasons.cost import measure_cost

        measure_cost(arguments.output)
    elif not arguments.report:
        train_missing(arguments)
    if not arguments.no_report:
        from benchmarks.right_reasons.report import write_report

        write_report(read_runs(arguments.output), arguments.output)


if __name__ == "__main__":
    main()
