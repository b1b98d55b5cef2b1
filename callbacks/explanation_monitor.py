"""Base class of callbacks that log metrics of explanations."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from typing_extensions import override

from pear_lightning.callbacks.explaining_callback import ExplainingCallback
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.per_loader import loader_suffixes

Stage = Literal["val", "test"]


class ExplanationMonitor(ExplainingCallback, ABC):
    """Base class of callbacks that measure explanations of the first rows of each data loader.

    Several loaders of an evaluation are measured separately, and Lightning's suffix
    (``/dataloader_idx_1``) tells their values apart. Subclasses implement :meth:`start`,
    :meth:`measure` and :meth:`log_values`.

    Args:
        *args: Arguments of :class:`ExplainingCallback`.
        rows: Number of rows that each process explains of each data loader.
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
        self._left: list[int] = []  # rows of each loader; empty if nothing is explained

    @abstractmethod
    def start(self, module: LightningModule, n_loaders: int) -> None:
        """Forget earlier evaluations.

        Args:
            module: The module that is evaluated.
            n_loaders: Number of data loaders.
        """

    @abstractmethod
    def measure(self, module: LightningModule, batch: Batch, stage: Stage, loader: int) -> None:
        """Explain rows and measure their explanations.

        Args:
            module: The module that is evaluated.
            batch: The rows.
            stage: ``"val"`` or ``"test"``.
            loader: Index of their data loader.
        """

    @abstractmethod
    def log_values(
        self, trainer: Trainer, module: LightningModule, stage: Stage, loader: int, suffix: str
    ) -> None:
        """Log the means of a data loader, in all processes.

        Args:
            trainer: The trainer.
            module: The module that is evaluated.
            stage: ``"val"`` or ``"test"``.
            loader: Index of the data loader.
            suffix: End of the names that are logged; empty for a single loader.
        """

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain, unless this validation is skipped."""
        skipped = trainer.sanity_checking or (
            trainer.state.fn == "fit" and (trainer.current_epoch + 1) % self.every_n_epochs
        )
        self._start(pl_module, 0 if skipped else len(trainer.num_val_batches))

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to explain."""
        self._start(pl_module, len(trainer.num_test_batches))

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
        self._take(pl_module, batch, "val", dataloader_idx)

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
        self._take(pl_module, batch, "test", dataloader_idx)

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        self._log(trainer, pl_module, "val")

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the means."""
        self._log(trainer, pl_module, "test")

    def _start(self, module: LightningModule, n_loaders: int) -> None:
        self._left = [self.rows] * n_loaders
        if n_loaders:
            self.randomness.restart()
            self.start(module, n_loaders)

    def _take(self, module: LightningModule, batch: Any, stage: Stage, loader: int) -> None:
        if not self._left or self._left[loader] <= 0:
            return
        read = self.read(batch).rows(slice(self._left[loader]))
        if len(read):
            with self.randomness.on(module.device):
                try:
                    self.measure(module, read, stage, loader)
                except Exception as error:
                    error.add_note(f"This happened in the callback {type(self).__name__}.")
                    raise
        self._left[loader] -= len(read)

    def _log(self, trainer: Trainer, module: LightningModule, stage: Stage) -> None:
        for loader, suffix in enumerate(loader_suffixes(len(self._left))):
            self.log_values(trainer, module, stage, loader, suffix)
