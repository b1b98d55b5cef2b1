"""Records of the comparison, and ranks computed from them."""

import torch
from torch import Tensor

from benchmarks.amortized.settings import LEARNED, TITLES
from benchmarks.shared.finished_runs import Run, Runs
from pear_lightning.functional.ranks import average_ranks

FIVE = {
    "faithfulness_correlation": "FC",
    "insertion": "INS",
    "deletion": "DEL",
    "negative_perturbation": "NEG",
    "irof": "IROF",
}
"""Metrics of DeepFaith's table of learned explainers, and their short names."""

LOWER_IS_BETTER = ("deletion", "positive_perturbation", "infidelity")


def table_runs(runs: Runs, task: str, rows: int | None = None) -> dict[tuple[str, int], Run]:
    """Return the runs of a task by method and seed.

    Args:
        runs: All records.
        task: The task.
        rows: Number of training rows; ``None`` for all.
    """
    return {
        (run["method"], run["seed"]): run
        for run in runs
        if run["task"] == task and run["rows"] == rows and "scores" in run
    }


def complete_seeds(runs: Runs, task: str, rows: int | None = None) -> list[int]:
    """Return the seeds in which every learned explainer of a task has a record.

    Args:
        runs: All records.
        task: The task.
        rows: Number of training rows; ``None`` for all.
    """
    found = table_runs(runs, task, rows)
    seeds = sorted({seed for _, seed in found})
    return [seed for seed in seeds if all((each, seed) in found for each in LEARNED)]


def present(runs: Runs, rows: int | None = None) -> list[str]:
    """Return the tasks with a complete seed, in their order.

    Args:
        runs: All records.
        rows: Number of training rows; ``None`` for all.
    """
    return [task for task in TITLES if complete_seeds(runs, task, rows)]


def mean_ranks(runs: Runs, task: str, metrics: list[str], rows: int | None = None) -> Tensor:
    """Return the mean rank of each learned explainer over metrics, ``(seeds, methods)``.

    Args:
        runs: All records.
        task: The task.
        metrics: Names of the metrics.
        rows: Number of training rows; ``None`` for all.

    Returns:
        Ranks from 1, the best, to the number of methods; ties share the mean rank.
    """
    found = table_runs(runs, task, rows)
    ranks = []
    for seed in complete_seeds(runs, task, rows):
        scores = torch.tensor(
            [
                [
                    found[method, seed]["scores"][name] * (1 if name in LOWER_IS_BETTER else -1)
                    for method in LEARNED
                ]
                for name in metrics
            ],
            dtype=torch.float64,
        )
        ranks.append(average_ranks(scores).mean(dim=0))
    return torch.stack(ranks)


def all_metrics(runs: Runs) -> list[str]:
    """Return the names of the ten metrics.

    Args:
        runs: All records, at least one with scores.
    """
    return next(list(run["scores"]) for run in runs if "scores" in run)
