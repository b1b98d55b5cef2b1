"""Mean absolute Shapley values of a network with two classes, from the shap package."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ROWS, BACKGROUND, PERMUTATIONS, GRADIENT_SAMPLES = 100, 50, 5, 200
Rows = NDArray[Any]


class LogOdds(nn.Module):
    """What is explained: the log-odds of class 1, ``(B, 1)``.

    Args:
        model: A network with two classes.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        """Log-odds ``(B, 1)`` of rows ``(B, n)``."""
        logits: Tensor = self.model(inputs)
        return logits[:, 1:] - logits[:, :1]


def shap_importance(
    model: nn.Module,
    background: Tensor,
    rows: Tensor,
    groups: list[int],
    explainer: str = "permutation",
) -> tuple[Tensor, int]:
    """Mean over rows of the absolute Shapley values of the log-odds.

    A feature is a group of columns, taken as a whole from the row that is explained or from a
    background row.

    Args:
        model: The network, gate included.
        background: Rows ``(b, n)`` that absent features are taken from, each of them.
        rows: Rows ``(m, n)`` to explain.
        groups: Number of the feature that each column belongs to.
        explainer: ``"permutation"`` (five permutations, each also backwards), ``"exact"`` (all
            coalitions), ``"kernel"`` (with its default number of samples) or ``"gradient"``
            (expected gradients, ungrouped columns only).

    Returns:
        Importance ``(d,)``, and the number of rows that went through the network.

    Raises:
        ImportError: If shap is missing.
    """
    try:
        import shap
    except ImportError as error:
        raise ImportError("the SHAP values need shap: pip install shap") from error

    log_odds = LogOdds(model).eval()
    pool = torch.cat([background, rows])
    features = max(groups) + 1
    columns = [torch.tensor([c for c, g in enumerate(groups) if g == i]) for i in range(features)]
    evaluations = 0

    @torch.no_grad()
    def score(sources: Rows) -> Rows:
        """Log-odds of rows that are put together from rows of the pool, by their numbers."""
        nonlocal evaluations
        numbers = torch.from_numpy(np.asarray(sources, dtype=np.int64))
        evaluations += len(numbers)
        if features == len(groups):
            inputs = pool.gather(0, numbers)
        else:
            inputs = torch.empty(len(numbers), len(groups))
            for feature, each in enumerate(columns):
                inputs[:, each] = pool[:, each][numbers[:, feature]]
        result: Rows = log_odds(inputs)[:, 0].numpy()
        return result

    sources = np.repeat(np.arange(len(pool))[:, None], features, axis=1)
    known, asked = sources[: len(background)], sources[len(background) :]
    masker = shap.maskers.Independent(known, max_samples=len(known))
    runs: dict[str, Callable[[], Any]] = {
        "permutation": lambda: (
            shap.explainers.Permutation(score, masker, seed=0)(
                asked, max_evals=PERMUTATIONS * (2 * features + 1), silent=True
            ).values
        ),
        "exact": lambda: shap.explainers.Exact(score, masker)(asked, silent=True).values,
        "kernel": lambda: shap.KernelExplainer(score, known).shap_values(asked, silent=True),
        "gradient": lambda: shap.GradientExplainer(log_odds, background).shap_values(
            rows, nsamples=GRADIENT_SAMPLES
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = np.asarray(runs[explainer]()).reshape(len(rows), features)
    if explainer == "gradient":
        evaluations = GRADIENT_SAMPLES * len(rows)
    return torch.from_numpy(np.abs(values).mean(axis=0)).float(), evaluations
