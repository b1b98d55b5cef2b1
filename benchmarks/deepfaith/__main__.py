"""DeepFaith among the explainers that it can imitate: faithfulness, cost, confidence, ablations.

    python -m benchmarks.deepfaith --data-dir <folder>

``<folder>`` holds ``bank-marketing`` (the files of the PEAR paper), ``adult``, ``nhanes-age``,
``wholesale-customers``, ``MNIST/raw`` and ``FashionMNIST/raw`` (the original idx files, zipped or
not), ``ag_news`` (``train_subset.csv.gz`` with the columns label and text, ``test.csv.gz`` in the
original format) and ``sst2`` (``train.tsv.gz``, ``test_labelled.tsv.gz``). Needs matplotlib for the
figures.

A small network is trained for each task and seed; priors and DeepFaith explain it. Networks,
explanations and scores are kept in ``--cache``, part by part: delete the folder after a change of
the settings. A finished run is appended to ``runs.jsonl`` in the output folder and skipped the next
time, so a stopped benchmark resumes where it was. ``--only`` chooses runs by a regular expression
on ``kind/task/seed/variant``; ``--report`` writes the report from the finished runs without running
anything.
"""

import argparse
import re
from dataclasses import asdict
from pathlib import Path

from benchmarks.deepfaith.jobs import jobs
from benchmarks.shared.command_line import add_folders, cache_folder, command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs
from benchmarks.shared.one_thread import one_thread


def main() -> None:
    """Run what is missing, then write the report."""
    parser = command_line("deepfaith", __doc__)
    add_folders(parser)
    parser.add_argument("--only", default="", help="regular expression on the runs")
    parser.add_argument(
        "--limits",
        nargs="+",
        default=[],
        metavar="NAME=NUMBER",
        help="upper limits on numbers of the settings, for a trial: steps=10 test=8",
    )
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed")
        one_thread()
        _run_missing(arguments, path)
    from benchmarks.deepfaith.report import write_report  # after the threads are limited

    write_report(read_runs(path), arguments.output)


def _run_missing(arguments: argparse.Namespace, path: Path) -> None:
    from benchmarks.deepfaith.run import run_job  # after the threads are limited

    cache = cache_folder(arguments)
    limits = {name: int(number) for name, number in (each.split("=") for each in arguments.limits)}
    for job in jobs():
        name = f"{job.kind}/{job.task}/{job.seed}/{job.variant}"
        keys = tuple(asdict(job))
        if not re.search(arguments.only, name) or tuple(asdict(job).values()) in finished(
            path, keys
        ):
            continue
        run = run_job(job, arguments.data_dir, cache, limits)
        if run is not None:
            append_run(path, run)
            print(f"{name:40} {run.get('wall_seconds', 0):.0f} s", flush=True)


if __name__ == "__main__":
    main()
