"""What two models of the same data have in common: where they look, and what they say."""

from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.correlation import pearson
from pear_lightning.scoring.batch import Batch


def prediction_and_gradient(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what a model predicts, and the gradient of the prediction.

    Args:
        model: Inputs ``(B, *S)`` to logits ``(B, C)``.
        batch: The samples; their target is not looked at.

    Returns:
        Predicted classes ``(B,)``, and the gradient ``(B, *S)`` of their log-odds, which is
        proportional, per sample, to that of their probability.
    """
    batch = batch.explaining(0)  # the log-odds do not look at it
    with torch.no_grad():
        logits, (gradient,) = explain_batch(model, batch, [Gradient()], output=_log_odds)
    return logits.argmax(dim=1), gradient


def similarity(gradient: Tensor, other: Tensor) -> Tensor:
    """Return the correlation ``(B,)`` of the absolute values of two models' gradients.

    Args:
        gradient: Of one model, ``(B, *S)``.
        other: Of the other one, ``(B, *S)``.
    """
    return pearson(gradient.abs().flatten(1), other.abs().flatten(1)).clamp(-1, 1)


def disagreement(logits: Tensor) -> Tensor:
    """Return the share ``(B,)`` of pairs of models that predict different classes.

    Args:
        logits: Of M models, ``(B, M, C)``.
    """
    classes = logits.argmax(dim=2).unbind(dim=1)
    pairs = [(a != b).float() for a, b in combinations(classes, 2)]
    return torch.stack(pairs).mean(dim=0) if pairs else torch.zeros(len(logits)).to(logits.device)


def _log_odds(logits: Tensor, target: Tensor) -> Tensor:
    """Return the log-odds of the predicted class, which never saturate.

    Their gradient is proportional, per sample, to that of the largest probability, so the same
    components are the largest ones of a sample.
    """
    predicted = F.one_hot(logits.argmax(dim=1), logits.shape[1]).bool()
    others = logits.masked_fill(predicted, -torch.inf)
    return logits.amax(dim=1) - others.logsumexp(dim=1)
