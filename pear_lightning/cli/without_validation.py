"""Callbacks of a configuration that a run cannot use."""

from typing import Any

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from pear_lightning.datamodules.loading_data_module import LoadingDataModule


def drop_checkpoints(config: Any) -> None:
    """Remove ``ModelCheckpoint`` if ``--trainer.enable_checkpointing`` is false.

    Lightning refuses the two together, and the callback comes from a shipped configuration.

    Args:
        config: The configuration of a subcommand, which is changed.
    """
    callbacks = config.get("trainer.callbacks")
    if config.get("trainer.enable_checkpointing") is not False or not isinstance(callbacks, list):
        return
    kept = [each for each in callbacks if not _class_of(each).endswith(".ModelCheckpoint")]
    if len(kept) < len(callbacks):
        config["trainer.callbacks"] = kept
        rank_zero_info("No checkpoint is saved, because --trainer.enable_checkpointing is false")


def stop_watching_validation(trainer: Trainer, data: LightningDataModule | None) -> None:
    """Let callbacks of a fit without validation rows not wait for a value of them.

    ``EarlyStopping`` is removed, and ``ModelCheckpoint`` keeps the last epoch instead of the best.

    Args:
        trainer: The trainer, which is changed.
        data: The data module.
    """
    if not isinstance(data, LoadingDataModule) or data.val_fraction > 0:
        return
    watching = [
        each
        for each in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(each, EarlyStopping | ModelCheckpoint) and "val" in str(each.monitor)
    ]
    if not watching:
        return
    data.prepare_data()
    data.setup("fit")
    if "val" in data.splits:
        return
    monitor = watching[0].monitor
    for each in watching:
        if isinstance(each, ModelCheckpoint):
            each.monitor = None
        else:
            trainer.callbacks.remove(each)  # type: ignore[attr-defined]
    rank_zero_warn(
        f"There are no validation rows (--data.val_fraction 0), so {monitor!r} is not known: "
        "training does not stop early, and the checkpoint is that of the last epoch"
    )


def _class_of(callback: Any) -> str:
    return str(callback.get("class_path", ""))
