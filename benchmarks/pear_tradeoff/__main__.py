"""Accuracy against agreement of PEAR, on the three data sets of its paper and on Adult.

    python -m benchmarks.pear_tradeoff --data-dir <folder> --workers 2

``<folder>`` holds the paper's files (``bankmarketing-train.csv`` and so on), directly or in the
sub-folders ``bank-marketing``, ``california`` and ``electricity``, and ``adult.data`` with
``adult.test``, directly or in ``adult``. XGBoost is needed for its accuracy and as a teacher
(``pip install xgboost``), matplotlib for the figures.

Each run is one model in one process with one thread. A finished run is appended to
``runs.jsonl`` in the output folder and skipped the next time, so a stopped benchmark resumes where
it was. ``--only`` chooses runs by regular expressions on ``data set/group/setting/seed``
(``settings.py`` lists the settings), in the order in which they are to be run, for example
``--only 'paper/paper λ=0.5' reference/ 'california/ablation/.*/0'``. ``--report`` writes the report
from the finished runs without training.
"""

import os
from multiprocessing import get_context

from benchmarks.pear_tradeoff.data import DATA_SETS
from benchmarks.pear_tradeoff.jobs import jobs, run_job
from benchmarks.shared.command_line import command_line
from benchmarks.shared.finished_runs import append_run, read_runs
from benchmarks.shared.one_thread import one_thread


def main() -> None:
    """Train what is missing, then write the report."""
    parser = command_line("pear_tradeoff", __doc__)
    parser.add_argument("--data-dir", help="folder with the paper's files; not for --report")
    parser.add_argument("--workers", type=int, default=1, help="models trained at the same time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--datasets", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--only", nargs="+", default=[""], help="regular expressions, in order")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--no-report", action="store_true", help="train, write no report")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed to train")
        one_thread()
        # for the workers: memory that is kept instead of handed back
        os.environ |= {
            "MALLOC_MMAP_THRESHOLD_": "1073741824",
            "MALLOC_TRIM_THRESHOLD_": "4294967296",
            "MALLOC_TOP_PAD_": "67108864",
        }
        todo = list(jobs(arguments, path))
        with get_context("spawn").Pool(arguments.workers) as pool:
            for run in pool.imap_unordered(run_job, todo):
                append_run(path, run)
                print(
                    f"{run['data_set']:12}{run['setting']:28} seed {run['seed']} accuracy "
                    f"{run['accuracy']:.2f} {run['seconds']:.0f} s",
                    flush=True,
                )
    if not arguments.no_report:
        from benchmarks.pear_tradeoff.report import write_report

        write_report(read_runs(path), arguments.output)


if __name__ == "__main__":
    main()
