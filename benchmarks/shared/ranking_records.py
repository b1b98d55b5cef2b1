"""Rankings of explainers as JSON, and back."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.shared.finished_runs import Run
from pear_lightning.metrics import ExplainerRanking

_NUMBERS = ("means", "ranks", "mean_rank", "interval")


def rounded(values: Tensor) -> list[Any]:
    """Return a tensor as nested lists of numbers with seven digits."""
    if values.ndim:
        return [rounded(each) for each in values]
    return float(f"{float(values):.7g}")  # type: ignore[return-value]


def as_record(ranking: ExplainerRanking) -> Run:
    """Return a ranking as plain values."""
    return {
        "explainers": list(ranking.explainers),
        "metrics": list(ranking.metrics),
        "higher_is_better": ranking.higher_is_better.tolist(),
        **{name: rounded(getattr(ranking, name)) for name in _NUMBERS},
        "tied": [[int(each) for each in row] for row in ranking.tied],
        "confidence_level": ranking.confidence_level,
        "n_resamples": ranking.n_resamples,
        "n_samples": ranking.n_samples,
    }


def as_ranking(record: Run) -> ExplainerRanking:
    """Return the ranking of a record."""
    numbers: dict[str, Any] = {
        name: torch.tensor(record[name], dtype=torch.float64) for name in _NUMBERS
    }
    return ExplainerRanking(
        explainers=tuple(record["explainers"]),
        metrics=tuple(record["metrics"]),
        higher_is_better=torch.tensor(record["higher_is_better"]),
        tied=torch.tensor(record["tied"]).bool(),
        confidence_level=record["confidence_level"],
        n_resamples=record["n_resamples"],
        n_samples=record["n_samples"],
        **numbers,
    )
