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
import json
import os
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).parent / "results"
DATA_SETS = ("bank", "ag_news", "mnist", "fashion")
KINDS = ("papers", "deepfaith", "other baseline", "budget")
"""Metrics as their own papers define them, as DeepFaith's code does, and as in their papers with
another baseline than the explainers'; and what KernelShap and Lime gain from more evaluations."""


def read_records(output: Path) -> list[dict[str, Any]]:
    """Return the records of the finished rankings.

    Args:
        output: Folder of the results.

    Returns:
        Records, in the order in which they finished.
    """
    path = output / "rankings.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def main() -> None:
    """Rank what is missing, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", type=Path, help="folder of the data; not for --report")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--cache", type=Path, help="default: <output>/cache, ignored by git")
    parser.add_argument("--datasets", nargs="+", choices=DATA_SETS, default=DATA_SETS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="metrics")
    parser.add_argument("--samples", type=int, help="test samples of each data set, for a trial")
    parser.add_argument("--max-epochs", type=int, help="upper limit on the epochs, for a trial")
    parser.add_argument("--report", action="store_true", help="write the report, run nothing")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        if arguments.data_dir is None:
            parser.error("--data-dir is needed")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        _rank(arguments)
    from benchmarks.explainer_ranking.report import write_report

    write_report(read_records(arguments.output), arguments.output)


def _rank(arguments: argparse.Namespace) -> None:
    from benchmarks.explainer_ranking.explainers import BUDGET_SAMPLES, BUDGETS, OTHER_BASELINES
    from benchmarks.explainer_ranking.run import run  # after the threads are limited

    cache = arguments.cache or arguments.output / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".gitignore").write_text("*\n", encoding="utf-8")
    done = {(each["data_set"], each["kind"]) for each in read_records(arguments.output)}
    only = {"other baseline": OTHER_BASELINES, "budget": BUDGETS}
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
        with (arguments.output / "rankings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
