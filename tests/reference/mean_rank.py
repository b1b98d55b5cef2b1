"""The mean-rank table, written out plainly."""

import numpy as np
from scipy.stats import rankdata


def mean_ranks(scores: dict[str, np.ndarray], higher_is_better: dict[str, bool]) -> np.ndarray:
    """Rank explainers by the mean of each metric, 1 for the best, and average over the metrics."""
    rows = []
    for name, values in scores.items():
        means = np.array([row.mean() for row in values])
        rows.append(rankdata(-means if higher_is_better[name] else means))
    return np.mean(rows, axis=0)


def bootstrap(
    scores: dict[str, np.ndarray], higher_is_better: dict[str, bool], draws: int, seed: int
) -> np.ndarray:
    """Return mean ranks of resampled samples, (draws, explainers)."""
    rng = np.random.default_rng(seed)
    n = next(iter(scores.values())).shape[1]
    out = []
    for _ in range(draws):
        index = rng.integers(n, size=n)
        drawn = {name: values[:, index] for name, values in scores.items()}
        out.append(mean_ranks(drawn, higher_is_better))
    return np.array(out)
