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
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent / "results"


def read_runs(output: Path) -> list[dict[str, Any]]:
    """Return the records of the finished runs, in the order in which they finished.

    Args:
        output: Folder of the results.
    """
    path = output / "runs.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the report.

    Args:
        arguments: Of the command line; ``None`` takes those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", help="folder of the real tables; None leaves them out")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seeds", type=int, default=10, help="repetitions of the main protocol")
    parser.add_argument("--only", default="", help="regular expression on the runs")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--quick-timing", action="store_true", help="few repetitions, for a trial")
    parser.add_argument("--report", action="store_true", help="write the report, train nothing")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.report:
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # before torch comes
        _run_missing(options)
        _time(options)
    from benchmarks.scores_activation.report import write_report

    write_report(read_runs(options.output), options.output)


def _run_missing(options: argparse.Namespace) -> None:
    import torch

    from benchmarks.scores_activation.run import run_job
    from benchmarks.scores_activation.settings import REAL, jobs

    torch.set_num_threads(1)
    keys = ("protocol", "table", "method", "data_seed", "seed", "bootstrap")
    done = {tuple(record[key] for key in keys) for record in read_runs(options.output)}
    with (options.output / "runs.jsonl").open("a", encoding="utf-8") as file:
        for job in jobs(options.seeds):
            name = f"{job.protocol}/{job.table}/{job.method}/{job.data_seed}"
            offline = job.table in REAL and job.table != "Breast Cancer" and not options.data_dir
            if tuple(asdict(job).values()) in done or offline or not re.search(options.only, name):
                continue
            record = run_job(job, options.data_dir, options.max_epochs)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            print(f"{name:60} {record['test']:.3f} {record['seconds']:.1f} s", flush=True)


def _time(options: argparse.Namespace) -> None:
    path = options.output / "timing.json"
    if path.exists():
        return
    from benchmarks.scores_activation.timing import measure

    path.write_text(json.dumps(measure(options.quick_timing), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
