"""Ranks explainers by ten faithfulness metrics on images, a table and text.

    python -m benchmarks.explainer_ranking --data-dir <folder>

``<folder>`` holds ``MNIST/raw`` and ``FashionMNIST/raw`` (the original idx files, zipped or not),
``bank-marketing`` (the files of the PEAR paper) and ``ag_news`` (``train_subset.csv.gz`` with the
columns label and text, ``test.csv.gz`` in the original format). scikit-image is needed for the
segments of IROF (``pip install 'pear-lightning[segments]'``), matplotlib for the figures.

A small network is trained for each data set, some 20 explainers explain several hundred test
samples, and ten metrics score the explanations. Weights, attributions and scores are kept in
``--cache``, part by part, so a stopped benchmark resumes where it was: delete the folder after a
change of the settings. Finished rankings are appended to ``rankings.jsonl`` in the output folder;
``--report`` writes tables and figures from it without running anything.
"""

import argparse
import itertools
from pathlib import Path

from benchmarks.explainer_ranking.settings import (
    BUDGET_SAMPLES,
    BUDGETS,
    DATA_SETS,
    KINDS,
    OTHER_BASELINES,
)
from benchmarks.shared.command_line import add_folders, cache_folder, command_line
from benchmarks.shared.finished_runs import append_run, finished, read_runs
from benchmarks.shared.one_thread import one_thread


def main() -> None:
    """Rank what is missing, then write the report."""
    parser = command_line("explainer_ranking", __doc__)
    add_folders(parser)
    parser.add_argument("--datasets", nargs="+", choices=DATA_SETS, default=DATA_SETS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="metrics")
    parser.add_argument("--samples", type=int, help="test samples of each data set, for a trial")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "rankings.jsonl"
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed")
        one_thread()
        _rank_missing(arguments, path)
    from benchmarks.explainer_ranking.report import write_report  # after the threads are limited

    write_report(read_runs(path), arguments.output)


def _rank_missing(arguments: argparse.Namespace, path: Path) -> None:
    from benchmarks.explainer_ranking.run import run  # after the threads are limited

    cache = cache_folder(arguments)
    done = finished(path, ("data_set", "kind"))
    only = {"other baseline": tuple(OTHER_BASELINES), "budget": tuple(BUDGETS)}
    for kind, name in itertools.product(arguments.kinds, arguments.datasets):
        if (name, kind) in done or name not in only.get(kind, DATA_SETS):
            continue
        record = run(
            name,
            kind,
            arguments.data_dir,
            cache / name,
            samples=arguments.samples or (BUDGET_SAMPLES if kind == "budget" else None),
            max_epochs=arguments.max_epochs,
        )
        append_run(path, record)


if __name__ == "__main__":
    main()
