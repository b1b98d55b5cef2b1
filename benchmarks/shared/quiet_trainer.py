"""A Trainer that keeps what it does to itself."""

import logging
import warnings
from typing import Any

from lightning.pytorch import Trainer


def quiet_trainer(**options: Any) -> Trainer:
    """Return a Trainer without logger, checkpoints, progress bar and summary.

    Args:
        **options: Of the Trainer.
    """
    return Trainer(
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def silence_lightning() -> None:
    """Let Lightning print and warn no more; what is printed is the benchmark's."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
