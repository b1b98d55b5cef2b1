"""How far a fit has come."""

import math

from lightning.pytorch import Trainer


def epochs_so_far(trainer: Trainer) -> float:
    """Return how many epochs a fit has trained, including the fraction of the current one.

    For data of unknown length, the fraction is that of the mean length of the complete epochs; it
    is 0 in the first epoch.

    Args:
        trainer: A trainer that is fitting.
    """
    loop = trainer.fit_loop
    batches = loop.max_batches
    if math.isinf(batches) and trainer.current_epoch:
        batches = (loop.total_batch_idx - loop.batch_idx) / trainer.current_epoch
    share = loop.batch_idx / batches if 0 < batches < math.inf else 0.0
    return trainer.current_epoch + min(max(share, 0.0), 1.0)


def counts_within_epoch(trainer: Trainer) -> bool:
    """Return whether the fraction of the current epoch is known; not in a first one of a stream.

    Args:
        trainer: A trainer that is fitting and has loaded its training data.
    """
    return math.isfinite(trainer.fit_loop.max_batches) or trainer.current_epoch > 0


def steps_so_far(trainer: Trainer) -> int:
    """Return how many training batches a fit has processed, the same after a resume.

    Args:
        trainer: A trainer that is fitting.
    """
    return max(int(trainer.fit_loop.epoch_loop.total_batch_idx), 0)


def share_done(trainer: Trainer) -> float | None:
    """Return which share of a fit is done, in [0, 1]; ``None`` if its length is not known.

    Args:
        trainer: A trainer that is fitting, with ``max_epochs`` or ``max_steps``.
    """
    shares = []
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        shares.append(epochs_so_far(trainer) / trainer.max_epochs)
    if trainer.max_steps > 0:
        shares.append(trainer.global_step / trainer.max_steps)
    return min(max(shares), 1.0) if shares else None
