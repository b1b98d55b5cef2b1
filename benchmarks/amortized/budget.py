"""The end of a training at a budget."""

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from benchmarks.shared.watched import Watched
from pear_lightning.modules import DiET


class Budget(Callback):
    """Ends a training once the model's evaluations or the CPU seconds are used up.

    The learning rate falls linearly with the used share, and the rounds of DiET divide it.

    Args:
        model: The explained model, which counts.
        evaluations: Evaluations that are left.
        seconds: CPU seconds that are left.
    """

    def __init__(self, model: Watched, evaluations: float, seconds: float) -> None:
        self.model = model
        self.evaluations = evaluations
        self.seconds = seconds
        self.steps = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = time.process_time()
        self._before = self.model.samples
        self._rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
        if isinstance(pl_module, DiET):
            pl_module.progress = 0.0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Lower the learning rate, or stop."""
        self.steps += 1
        used = max(
            (self.model.samples - self._before) / max(self.evaluations, 1),
            (time.process_time() - self._start) / self.seconds,
        )
        if isinstance(pl_module, DiET):
            pl_module.progress = min(used, 1.0)
        for group, rate in zip(trainer.optimizers[0].param_groups, self._rates, strict=True):
            group["lr"] = rate * max(1 - used, 0)
        if used >= 1:
            trainer.should_stop = True
