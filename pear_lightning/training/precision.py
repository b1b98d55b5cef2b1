"""Precisions of a trainer in which explanations can be trained."""

from lightning.pytorch import Trainer

from pear_lightning.losses import ExplanationLoss

_PRECISIONS = ("32-true", "64-true", "bf16-mixed", "bf16-true")
_OUTSIDE_AUTOCAST = (*_PRECISIONS, "16-mixed")


def refuse_precision(
    trainer: Trainer, loss: ExplanationLoss, *, explains_in_float32: bool = False
) -> None:
    """Raise if a loss that differentiates gradients cannot be trained in a trainer's precision.

    Args:
        trainer: The trainer.
        loss: The loss.
        explains_in_float32: Whether explanations are computed in float32 under ``"16-mixed"``.

    Raises:
        ValueError: If the trainer's precision is not supported.
    """
    possible: tuple[str, ...] = _OUTSIDE_AUTOCAST if explains_in_float32 else _PRECISIONS
    if not loss.trains_half_weights:
        possible = tuple(each for each in possible if each != "bf16-true")
    if loss.differentiates_gradients and trainer.precision not in possible:
        raise ValueError(
            f"precision must be one of {', '.join(possible)} to train {type(loss).__name__}, got "
            f"{trainer.precision!r}; the loss differentiates gradients of the inputs, which are "
            "not scaled as gradients of the weights are, so they underflow or are too coarse"
        )
