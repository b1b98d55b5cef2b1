"""Accuracy against agreement of PEAR on the three data sets of its paper.

    python -m benchmarks.pear_tradeoff --data-dir <folder> --workers 2

``<folder>`` holds the paper's files (``bankmarketing-train.csv`` and so on), directly or in the
sub-folders ``bank-marketing``, ``california`` and ``electricity``. XGBoost is needed for its
accuracy (``pip install xgboost``), matplotlib for the figures.

Each run is one model in one process with one thread. A finished run is appended to
``runs.jsonl`` in the output folder and skipped the next time, so a stopped benchmark resumes where
it was. ``--only`` chooses runs by regular expressions on ``data set/group/setting/seed``
(``settings.py`` lists the settings), in the order in which they are to be run, for example
``--only 'paper/paper λ=0.5' reference/ 'california/ablation/.*/0'``. ``--report`` writes the report
from the finished runs without training.
"""

import argparse
import itertools
import json
import os
import re
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.pear_tradeoff.settings import DATA_SETS, SETTINGS

OUTPUT = Path(__file__).parent / "results"


def jobs(arguments: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """Yield the runs that are asked for and not finished.

    Args:
        arguments: Of the command line.

    Yields:
        Arguments of :func:`benchmarks.pear_tradeoff.run.train_and_evaluate`.
    """
    done = {
        (record["data_set"], record["setting"], record["seed"])
        for record in read_runs(arguments.output)
    }
    wanted = itertools.product(arguments.only, arguments.seeds, arguments.datasets, SETTINGS)
    for pattern, seed, data_set, name in wanted:
        setting = SETTINGS[name]
        deterministic = setting.model in ("logistic_regression", "xgboost")
        if (data_set, name, seed) in done or (deterministic and seed != 0):
            continue
        if re.search(pattern, f"{data_set}/{setting.group}/{name}/{seed}"):
            done.add((data_set, name, seed))
            yield name, setting, data_set, seed, arguments.data_dir, arguments.max_epochs


def read_runs(output: Path) -> list[dict[str, Any]]:
    """Return the records of the finished runs.

    Args:
        output: Folder of the results.

    Returns:
        Records, in the order in which they finished.
    """
    path = output / "runs.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _run(job: tuple[Any, ...]) -> dict[str, Any]:
    from benchmarks.pear_tradeoff.run import (
        train_and_evaluate,  # in the worker, after its threads are limited
    )

    return train_and_evaluate(*job)


def main() -> None:
    """Train what is missing, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", help="folder with the paper's files; not for --report")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--workers", type=int, default=1, help="models trained at the same time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--datasets", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--report", action="store_true", help="write the report, train nothing")
    parser.add_argument("--no-report", action="store_true", help="train, write no report")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed to train")
        # for the workers: one thread each, and memory that is kept instead of handed back
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        os.environ |= {
            "MALLOC_MMAP_THRESHOLD_": "1073741824",
            "MALLOC_TRIM_THRESHOLD_": "4294967296",
            "MALLOC_TOP_PAD_": "67108864",
        }
        todo = list(jobs(arguments))
        with (
            get_context("spawn").Pool(arguments.workers) as pool,
            (arguments.output / "runs.jsonl").open("a", encoding="utf-8") as file,
        ):
            for record in pool.imap_unordered(_run, todo):
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                file.flush()
                print(
                    f"{record['data_set']:12}{record['setting']:24} seed {record['seed']} accuracy "
                    f"{record['accuracy_train']:.2f} {record['seconds']:.0f} s",
                    flush=True,
                )
    if not arguments.no_report:
        from benchmarks.pear_tradeoff.report import write_report

        write_report(read_runs(arguments.output), arguments.output)


if __name__ == "__main__":
    main()
