"""The explainer networks, of one size for all methods."""

from copy import deepcopy
from typing import Any

from torch import nn

from benchmarks.amortized.task import PATCH, Task
from benchmarks.shared.word_ids import MAX_TOKENS
from pear_lightning.nn import (
    MLP,
    ExplainerMLP,
    ExplainerTransformer,
    PatchTokens,
    TextTokens,
)
from pear_lightning.nn.score_scale import ScoreScale


def network(task: Task, scale: ScoreScale = "unbounded", *, per_class: bool = False) -> nn.Module:
    """Return an explainer network with random weights, which is told the explained class.

    Args:
        task: The task.
        scale: Range of the scores.
        per_class: Whether it explains all classes at once; otherwise, the class is an input.
    """
    options: dict[str, Any] = {"num_classes": task.classes, "per_class": per_class, "scale": scale}
    inputs = task.train["inputs"]
    if inputs.ndim == 2:
        return ExplainerMLP(inputs.shape[1], task.n_features, **options)
    if inputs.ndim == 3:
        tokens: Any = TextTokens(embedding_dim=inputs.shape[2], n_tokens=MAX_TOKENS)
    else:
        tokens = PatchTokens(PATCH, 28, in_channels=1)
    return ExplainerTransformer(tokens, **options)


def predictor(task: Task) -> nn.Module:
    """Return a network of the kind of the model: surrogates and predictors of selections.

    Args:
        task: The task.

    Returns:
        A copy of the model, which can be trained; for tables, a network with random weights.
    """
    inputs = task.train["inputs"]
    if inputs.ndim == 2:
        return MLP(inputs.shape[1], task.classes)
    return deepcopy(task.model).requires_grad_(True)
