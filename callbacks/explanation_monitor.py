"""Base class of callbacks that log metrics of explanations."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from typing_extensions import override

from pear_lightning.callbacks.explaining_callback import ExplainingCallback
from pear_lightning.scoring.batch import Batch

Stage = Literal["val", "test"]


class ExplanationMonitor(ExplainingCallback, ABC):
    """Base class of callbacks that measure explanations of the first rows of each evaluation.

    Subclasses implement :meth:`start`, :meth:`measure` and :meth:`log_values`.

    Args:
        *args: Arguments of :class:`ExplainingCallback`.
        rows: Number of rows that each process explains in an evaluation.
        every_n_epochs: Validations of a fit are explained in every n-th epoch; tests always.
        **kwargs: Arguments of :class:`ExplainingCallback`.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(self, *args: Any, rows: int = 128, every_n_epochs: int = 1, **kwargs: Any) -> None:
        for name, number in (("rows", rows), ("every_n_epochs", every_n_epochs)):
            if number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        super().__init__(*args, **kwargs)
        self.rows = rows
        self.every_n_epochs = every_n_epochs
        self._wanted = self._left = 0

    @abstractmethod
    def start(self, module: LightningModule) -> None:
        """Forget earlier evaluations.

        Args:
            module: The module that is evaluated.
        """

    @abstractmethod
    def measure(self, module: LightningModule, batch: Batch, stage: Stage) -> None:
        """Explain rows and measure their explanations.

        Args:
            module: The module that is evaluated.
            batch: The rows.
            stage: ``"val"`` or ``"test"``.
        """

    @abstractmethod
    def log_values(self, trainer: Trainer, module: LightningModule, stage: Stage) -> None:
        """Log the means of the evaluation, in all processes.

        Args:
            trainer: The trainer.
            module: The module that is evaluated.
            stage: ``"val"`` or ``"test"``.
        """

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain, unless this validation is skipped."""
        skipped = trainer.sanity_checking or (
            trainer.state.fn == "fit" and (trainer.current_epoch + 1) % self.every_n_epochs
        )
        self._start(pl_module, 0 if skipped else self.rows)

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain."""
        self._start(pl_module, self.rows)

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Explain rows of the batch until ``rows`` is reached."""
        self._take(pl_module, batch, "val")

    @override
    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Explain rows of the batch until ``rows`` is reached."""
        self._take(pl_module, batch, "test")

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        if self._wanted:
            self.log_values(trainer, pl_module, "val")

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        if self._wanted:
            self.log_values(trainer, pl_module, "test")

    def _start(self, module: LightningModule, rows: int) -> None:
        self._wanted = self._left = rows
        if rows:
            self.randomness.restart()
            self.start(module)

    def _take(self, module: LightningModule, batch: Any, stage: Stage) -> None:
        if self._left <= 0:
            return
        read = self.read(batch).rows(slice(self._left))
        if len(read):
            with self.randomness.on(module.device):
                self.measure(module, read, stage)
        self._left -= len(read)
