"""Records of the ranking of explainers, as JSON and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pear_lightning.functional.ranks import average_ranks
from pear_lightning.metrics import ExplainerRanking

Record = dict[str, Any]

TITLES = {
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
    "bank": "Bank Marketing",
    "ag_news": "AG News",
}
_NUMBERS = ("means", "ranks", "mean_rank", "interval")


class CountedRows(nn.Module):
    """A model that counts the rows it is asked for."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.rows = 0

    def forward(self, inputs: Tensor, **kwargs: Tensor) -> Tensor:
        """Return the model's logits."""
        self.rows += len(inputs)
        logits: Tensor = self.model(inputs, **kwargs)
        return logits


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rounded(values: Tensor) -> list[Any]:
    """Return a tensor as nested lists of numbers with seven digits."""
    if values.ndim:
        return [rounded(each) for each in values]
    return float(f"{float(values):.7g}")  # type: ignore[return-value]


def as_record(ranking: ExplainerRanking) -> Record:
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


def as_ranking(record: Record) -> ExplainerRanking:
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


def metric_correlation_within_samples(
    scores: Mapping[str, Tensor], directions: Mapping[str, bool]
) -> Tensor:
    """Return how far two metrics order the explanations of one sample alike.

    Args:
        scores: ``(E, N)`` for each of M metrics.
        directions: Whether a higher value is better.

    Returns:
        Spearman's correlation over the explanations, mean over the samples, ``(M, M)``.
    """
    ranks = torch.stack(
        [
            average_ranks((each if directions[name] else -each).double().T)
            for name, each in scores.items()
        ]
    )  # (M, N, E)
    centred = ranks - ranks.mean(dim=2, keepdim=True)
    norm = centred.norm(dim=2)
    product = norm[:, None] * norm
    correlation = torch.einsum("mne,kne->mkn", centred, centred) / product.where(product > 0, 1)
    mean: Tensor = correlation.mean(dim=2)
    return mean
