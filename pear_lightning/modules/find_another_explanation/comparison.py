"""Comparison of models of the same data: their gradients and their predictions."""

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.correlation import pearson
from pear_lightning.scoring.batch import Batch


def prediction_and_gradient(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the predictions of a model and their gradients.

    Args:
        model: Maps inputs ``(B, *S)`` to logits ``(B, C)``.
        batch: The samples; their target is not used.

    Returns:
        Predicted classes ``(B,)``, and the gradient ``(B, *S)`` of their log-odds, which is
        proportional, per sample, to the gradient of their probability.
    """
    batch = batch.explaining(0)  # the log-odds do not use the target
    with torch.no_grad():
        logits, (gradient,) = explain_batch(model, batch, [Gradient()], output=_log_odds)
    return logits.argmax(dim=1), gradient


def similarity(gradient: Tensor, other: Tensor) -> Tensor:
    """Return the correlation ``(B,)`` of the absolute values of two models' gradients.

    Args:
        gradient: Gradient of one model, ``(B, *S)``.
        other: Gradient of the other model, ``(B, *S)``.
    """
    return pearson(gradient.abs().flatten(1), other.abs().flatten(1)).clamp(-1, 1)


def disagreement(logits: Tensor) -> Tensor:
    """Return the share ``(B,)`` of pairs of models that predict different classes.

    Args:
        logits: Logits of M models, ``(B, M, C)``.
    """
    classes = logits.argmax(dim=2).unbind(dim=1)
    pairs = [(a != b).float() for a, b in combinations(classes, 2)]
    return torch.stack(pairs).mean(dim=0) if pairs else torch.zeros(len(logits)).to(logits.device)


def _log_odds(logits: Tensor, target: Tensor) -> Tensor:
    """Return the log-odds of the predicted class, which do not saturate.

    Their gradient is proportional, per sample, to the gradient of the largest probability, so the
    largest components of a sample are the same.
    """
    predicted = F.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
    others = logits.masked_fill(predicted, -torch.inf)
    return logits.amax(dim=1) - others.logsumexp(dim=1)
