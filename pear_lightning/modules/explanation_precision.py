"""In which precision of a trainer explanations can be trained."""

from lightning.pytorch import Trainer

from pear_lightning.losses import ExplanationLoss

_PRECISIONS = ("32-true", "64-true", "bf16-mixed")


def refuse_precision(trainer: Trainer, loss: ExplanationLoss) -> None:
    """Refuse a precision in which a loss that differentiates gradients cannot be trained.

    Args:
        trainer: The trainer.
        loss: The loss.

    Raises:
        ValueError: If the trainer's precision is not supported.
    """
    if loss.differentiates_gradients and trainer.precision not in _PRECISIONS:
        raise ValueError(
            f"precision={trainer.precision!r} cannot train {type(loss).__name__}: float16 "
            "gradients of the input are not scaled, and half precision is too coarse for them. "
            f"Use one of {', '.join(_PRECISIONS)}"
        )
