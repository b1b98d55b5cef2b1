"""Accuracy on the features with the largest scores."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.fit import fit
from benchmarks.scores_activation.jobs import Job
from benchmarks.scores_activation.methods import METHODS, NONE
from benchmarks.scores_activation.table_settings import Table
from benchmarks.scores_activation.training import performance
from benchmarks.shared.table_rows import table_rows

KEPT = (0.25, 0.5)
"""Shares of the features that models are trained on again."""

_again: dict[tuple[Any, ...], float] = {}


def retrained(
    job: Job,
    table: Table,
    data: Any,
    scores: Tensor,
    groups: list[int],
    share: float,
    epochs: int,
) -> float:
    """Return the accuracy of a network without a gate on the features with the largest scores.

    Args:
        job: The model that the scores are for.
        table: Network and batches.
        data: The table.
        scores: Score of each feature, ``(d,)``.
        groups: Number of the feature that each column belongs to.
        share: How many of the features are kept.
        epochs: Epochs.
    """
    k = max(1, round(share * len(scores)))
    best = sorted(scores.topk(k).indices.tolist())
    key = (job.table, job.data_seed, job.seed, epochs, *best)
    if key not in _again:
        columns = torch.tensor([c for c, group in enumerate(groups) if group in best])
        rows, test = table_rows(data, "train"), table_rows(data, "test")
        own = [best.index(groups[c]) for c in columns.tolist()]
        module, _ = fit(METHODS[NONE], table, data, rows, columns, own, job.seed, epochs)
        _again[key] = performance(module, test[0][:, columns], test[1])
    return _again[key]
