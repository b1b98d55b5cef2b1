"""Accuracy, agreement and faithfulness of each method."""

from collections.abc import Callable

import torch

from benchmarks.images_text.records import methods_of, over_seeds, problems_of, with_seeds
from benchmarks.images_text.settings import TITLES
from benchmarks.images_text.within_classes import column
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.markdown import markdown


def mean_agreement(run: Run, *, trained: bool | None = None) -> float:
    """Return the mean agreement over pairs of explainers and samples.

    Args:
        run: The record.
        trained: The trained pair only, or all others; ``None`` for all pairs.
    """
    keys = [key for key in run["samples"] if key.startswith("agreement ")]
    if trained is not None:
        keys = keys[:1] if trained else keys[1:]
    return float(torch.tensor([run["samples"][key] for key in keys]).mean())


def models_table(runs: Runs) -> str:
    """One row for each problem and method."""
    header = ["problem", "method", "accuracy, %", "agreement: trained pair", "other pairs"]
    header += ["with another sample", "common share", "confidence", "ms per step"]
    rows = []
    for problem in problems_of(runs):
        for method in methods_of(runs, problem):
            cells = [
                with_seeds(over_seeds(runs, problem, method, value), digits)
                for value, digits in _COLUMNS
            ]
            if not problem.startswith("cifar"):
                cells[3] = "–"
            rows.append([TITLES[problem], method, *cells])
    return markdown(header, rows)


_COLUMNS: tuple[tuple[Callable[[Run], float], int], ...] = (
    (lambda run: run["accuracy"], 1),
    (lambda run: mean_agreement(run, trained=True), 3),
    (lambda run: mean_agreement(run, trained=False), 3),
    (lambda run: run.get("with_another", 0.0), 3),
    (lambda run: run["common_share"], 3),
    (lambda run: float(column(run, "confidence").mean()), 3),
    (lambda run: run["ms_per_step"], 0),
)
