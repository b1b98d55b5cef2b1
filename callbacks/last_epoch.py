"""What the values at the end of a fit are, and where its best checkpoint is."""

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint


def about_the_last_epoch(trainer: Trainer, epoch: int) -> str | None:
    """Say that values are those of the last epoch, if a checkpoint may be of another one.

    Args:
        trainer: A trainer at the end of a fit.
        epoch: The epoch of the values, from 0.

    Returns:
        One line; ``None`` if the fit has no ``ModelCheckpoint``, or was neither stopped by
        ``EarlyStopping`` nor has a checkpoint that is the best by a metric.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    checkpoints = [each for each in callbacks if isinstance(each, ModelCheckpoint)]
    best = [
        f"The best checkpoint ({each.monitor} {each.best_model_score:.4f}) is "
        f"{each.best_model_path}"
        for each in checkpoints
        if each.monitor and each.best_model_path and each.best_model_score is not None
    ]
    stopped = trainer.should_stop and any(
        isinstance(each, EarlyStopping) and each.stopped_epoch > 0 for each in callbacks
    )
    if not checkpoints or not (best or stopped):
        return None
    last = "last epoch" if epoch == trainer.current_epoch - 1 else "last epoch with validation"
    early = "; training stopped early" if stopped else ""
    return ". ".join([f"These are the values of the {last}, {epoch}{early}", *best])
