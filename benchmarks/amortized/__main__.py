"""Compares learned explainers at equal budgets on two tables, a text and two image tasks.

    python -m benchmarks.amortized --data-dir <folder>

``<folder>`` is that of ``benchmarks.explainer_ranking``, with ``adult`` (the files of the UCI
repository). A model is trained for each task. Every learned explainer is trained for it with the
same budget of model evaluations and of CPU seconds and the same network, in three seeds, and its
explanations of test samples are scored by ten faithfulness metrics. Learned Shapley values are
compared with exact ones and with sampling estimates.

Finished runs are appended to ``runs.jsonl`` in the output folder and skipped the next time, so a
stopped benchmark resumes where it was. ``--report`` writes the report from it.
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from benchmarks.amortized.settings import (
    BESIDE,
    FEWER_ROWS,
    HEADLINE,
    LEARNED,
    OPTIONS,
    SEEDS,
    TITLES,
)
from benchmarks.shared.command_line import add_folders, cache_folder, command_line
from benchmarks.shared.finished_runs import Run, append_run, finished, read_runs
from benchmarks.shared.one_thread import one_thread

KINDS = ("table", "samples", "headline")
METHODS = LEARNED + OPTIONS + BESIDE
_KEYS = ("task", "method", "seed", "rows")


def main() -> None:
    """Run what is missing, then write the report."""
    parser = command_line("amortized", __doc__)
    add_folders(parser)
    parser.add_argument("--tasks", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--samples", type=int, help="test samples of each task, for a trial")
    parser.add_argument("--shrink", type=float, default=1.0, help="factor of budgets, for a trial")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "runs.jsonl"
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed")
        one_thread()
        _run_missing(arguments, path)
    from benchmarks.amortized.report import write_report  # after the threads are limited

    write_report(read_runs(path), arguments.output)


def _run_missing(arguments: argparse.Namespace, path: Path) -> None:
    from benchmarks.amortized.headline import headline  # after the threads are limited
    from benchmarks.amortized.run import run
    from benchmarks.amortized.task import task

    folder = cache_folder(arguments)

    @cache
    def of(name: str) -> object:
        return task(name, arguments.data_dir, folder / name, samples=arguments.samples)

    jobs: list[tuple[tuple[object, ...], Callable[[], Run]]] = []
    for seed in arguments.seeds:
        for name in arguments.tasks:
            for method in arguments.methods if "table" in arguments.kinds else ():
                job = _job(partial(run, shrink=arguments.shrink), of, name, method, seed)
                jobs.append(((name, method, seed, None), job))
            if "headline" in arguments.kinds and name in HEADLINE:
                job = _job(partial(headline, shrink=arguments.shrink), of, name, seed)
                jobs.append(((name, "headline", seed, None), job))
            for rows in FEWER_ROWS.get(name, ()) if "samples" in arguments.kinds else ():
                for method in [each for each in arguments.methods if each in LEARNED]:
                    fewer = partial(run, rows=rows, shrink=arguments.shrink)
                    jobs.append(((name, method, seed, rows), _job(fewer, of, name, method, seed)))
    done = finished(path, _KEYS)
    for key, job in jobs:
        if key not in done:
            print(*key, flush=True)
            append_run(path, job())


def _job(
    function: Callable[..., Run], of: Callable[[str], object], name: str, *rest: object
) -> Callable[[], Run]:
    return lambda: function(of(name), *rest)


if __name__ == "__main__":
    main()
