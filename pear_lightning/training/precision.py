"""Precisions of a trainer in which explanations can be trained."""

from contextlib import AbstractContextManager, nullcontext

import torch
from lightning.pytorch import Trainer

from pear_lightning.losses import ExplanationLoss

_PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true")
_HALF_WEIGHTS = ("bf16-true", "16-true")


def refuse_precision(trainer: Trainer, loss: ExplanationLoss) -> None:
    """Raise if a loss cannot be trained in a trainer's precision.

    Args:
        trainer: The trainer.
        loss: The loss.

    Raises:
        ValueError: If the trainer's precision is not supported.
    """
    precision = trainer.precision
    possible = tuple(
        each for each in _PRECISIONS if loss.trains_half_weights or each not in _HALF_WEIGHTS
    )
    if precision in _HALF_WEIGHTS and not loss.trains_half_weights:
        reason = "explanations of weights in half precision are too coarse for what it compares"
    elif loss.differentiates_gradients and precision not in possible:
        reason = "it differentiates gradients of the inputs, which nothing keeps from underflow"
    else:
        return
    raise ValueError(
        f"precision must be one of {', '.join(possible)} to train {type(loss).__name__}, got "
        f"{precision!r}; {reason}"
    )


def explanation_precision(
    trainer: Trainer | None, loss: ExplanationLoss
) -> AbstractContextManager[object]:
    """Return the context in which explanations are computed inside a training step.

    It is that of the trainer, except for float16: a loss scaler scales gradients of the weights,
    but not gradients of the inputs, which would underflow. They are computed in float32.

    Args:
        trainer: The trainer; ``None`` if there is none.
        loss: The loss.
    """
    if trainer is None or trainer.precision != "16-mixed" or not loss.differentiates_gradients:
        return nullcontext()
    return torch.autocast(trainer.strategy.root_device.type, enabled=False)
