"""In which precision of a trainer explanations can be trained."""

from lightning.pytorch import Trainer

from pear_lightning.losses import ExplanationLoss

_PRECISIONS = ("32-true", "64-true", "bf16-mixed", "bf16-true")
_OUTSIDE_AUTOCAST = (*_PRECISIONS, "16-mixed")


def refuse_precision(
    trainer: Trainer, loss: ExplanationLoss, *, explains_in_float32: bool = False
) -> None:
    """Refuse a precision in which a loss that differentiates gradients cannot be trained.

    Args:
        trainer: The trainer.
        loss: The loss.
        explains_in_float32: Whether explanations leave ``"16-mixed"`` aside and are float32.

    Raises:
        ValueError: If the trainer's precision is not supported.
    """
    possible: tuple[str, ...] = _OUTSIDE_AUTOCAST if explains_in_float32 else _PRECISIONS
    if not loss.trains_half_weights:
        possible = tuple(each for each in possible if each != "bf16-true")
    if loss.differentiates_gradients and trainer.precision not in possible:
        raise ValueError(
            f"precision={trainer.precision!r} cannot train {type(loss).__name__}, which "
            "differentiates gradients of the inputs: those are not scaled as gradients of the "
            "weights are, and are too small or too coarse in such numbers. Use one of "
            f"{', '.join(possible)}"
        )
