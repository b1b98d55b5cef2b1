"""The same network, trained without PEAR."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from pear_lightning.modules import PEAR
from pear_lightning.training import ConstantWeight


class PlainTraining:
    """Train a copy of a PEAR module without the consensus loss, for comparison.

    The copy starts from the same weights and the same random state, and trains as long as the
    module does.

    Args:
        trainer: The trainer of the module, at the start of a fit.
        pl_module: The module, before training.

    Raises:
        TypeError: If the module is not a PEAR module.
    """

    def __init__(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, PEAR):
            raise TypeError(
                f"compare must be False for {type(pl_module).__name__}, got True: only PEAR can be "
                "trained without its consensus loss"
            )
        pl_module.trainer = None
        try:
            self._module = copy.deepcopy(pl_module)  # without the trainer and its data
        finally:
            pl_module.trainer = trainer
        self._module.objective.schedule = ConstantWeight(0.0)
        self._random_state = torch.get_rng_state()

    def results(self, trainer: Trainer) -> dict[str, Tensor]:
        """Train the copy on the data of a trainer, and return what it logged.

        Args:
            trainer: The trainer of the module, after its fit.
        """
        with _quiet():
            return self._trained(trainer)

    def _trained(self, trainer: Trainer) -> dict[str, Tensor]:
        plain = Trainer(
            accelerator="gpu" if trainer.strategy.root_device.type == "cuda" else "cpu",
            devices=1,
            precision=trainer.precision,
            max_epochs=trainer.current_epoch,
            max_steps=trainer.max_steps,
            limit_train_batches=trainer.limit_train_batches,
            limit_val_batches=trainer.limit_val_batches,
            accumulate_grad_batches=trainer.accumulate_grad_batches,
            gradient_clip_val=trainer.gradient_clip_val,
            gradient_clip_algorithm=trainer.gradient_clip_algorithm,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with torch.random.fork_rng():
            torch.set_rng_state(self._random_state)
            plain.fit(self._module, trainer.train_dataloader, trainer.val_dataloaders)
        return dict(plain.callback_metrics)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what Lightning reports of a trainer, which would read as that of the module."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
