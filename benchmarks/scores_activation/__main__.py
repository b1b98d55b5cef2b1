"""ScoresActivation: whether its scores find what matters, agree with SHAP, and what they cost.

    python -m benchmarks.scores_activation --data-dir <folder>

``<folder>`` holds the tables of the PEAR benchmark and ``adult.data`` and ``adult.test``; without
it the real tables are left out. Needs ``pip install shap xgboost``, and matplotlib for the figures.

Each run is one model, on one thread. A finished run is appended to ``runs.jsonl`` in the output
folder and skipped the next time, so a stopped benchmark resumes where it was. ``--only`` chooses
runs by a regular expression on ``protocol/table/method/seed``; ``--report`` writes the report from
the finished runs without training.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from benchmarks.shared.command_line import command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs
from benchmarks.shared.json_files import write_json
from benchmarks.shared.one_thread import one_thread


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the report.

    Args:
        arguments: Of the command line; ``None`` takes those of the process.
    """
    parser = command_line("scores_activation", __doc__)
    parser.add_argument("--data-dir", help="folder of the real tables; None leaves them out")
    parser.add_argument("--seeds", type=int, default=10, help="repetitions of the main protocol")
    parser.add_argument("--only", default="", help="regular expression on the runs")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--quick-timing", action="store_true", help="few repetitions, for a trial")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "runs.jsonl"
    if not options.report:
        one_thread()
        _run_missing(options, path)
        _time(options)
    from benchmarks.scores_activation.report import write_report  # after the threads are limited

    write_report(read_runs(path), options.output)


def _run_missing(options: argparse.Namespace, path: Path) -> None:
    import torch  # after the threads are limited

    from benchmarks.scores_activation.jobs import Job, jobs
    from benchmarks.scores_activation.run import run_job
    from benchmarks.scores_activation.table_settings import NEED_FILES

    torch.set_num_threads(1)
    done = finished(path, [field.name for field in fields(Job)])
    for job in jobs(options.seeds):
        name = f"{job.protocol}/{job.table}/{job.method}/{job.data_seed}"
        readable = options.data_dir is not None or job.table not in NEED_FILES
        wanted = re.search(options.only, name)
        if not wanted or not readable or tuple(asdict(job).values()) in done:
            continue
        run = run_job(job, options.data_dir, options.max_epochs)
        append_run(path, run)
        print(f"{name:60} {run['test']:.3f} {run['seconds']:.1f} s", flush=True)


def _time(options: argparse.Namespace) -> None:
    path = options.output / "timing.json"
    if path.exists():
        return
    from benchmarks.scores_activation.timing import measure

    write_json(path, measure(options.quick_timing))


if __name__ == "__main__":
    main()
