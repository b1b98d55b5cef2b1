"""Base class of the Lightning modules of all methods."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from pear_lightning.training.cosine_decay import CosineDecay, epochs_of
from pear_lightning.training.encoding import Encoding


def adamw(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return AdamW with the settings of the PEAR paper: learning rate 5e-4, weight decay 2e-4.

    Args:
        params: Parameters to optimise.
    """
    return torch.optim.AdamW(params, lr=5e-4, weight_decay=2e-4)


class ExplainedModule(LightningModule, ABC):
    """Base class of modules that train a network with a method based on explanations.

    The class handles optimisers, hyperparameters and logging; subclasses define the loss. Methods
    that train the network for a task subclass
    :class:`~pear_lightning.modules.SupervisedModule`.

    Args:
        backbone: The network that is trained.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once per epoch.

    Raises:
        TypeError: If the backbone is not a module, or the optimiser is not callable.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = ("backbone", "optimizer", "lr_scheduler")
    """Arguments that are objects, which are not saved in checkpoints."""

    monitored: ClassVar[str] = "val_loss"
    """Metric for schedulers that need one, such as ``ReduceLROnPlateau``."""

    def __init__(
        self,
        backbone: nn.Module,
        *,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise TypeError(f"backbone must be a torch.nn.Module, got {backbone!r}")
        if not callable(optimizer):
            raise TypeError(
                "optimizer must be a callable from parameters to an optimiser, such as "
                f"torch.optim.SGD or a lambda, got {type(optimizer).__name__}"
            )
        # A checkpoint holds only values that load under weights_only=True. The command line knows
        # all arguments, objects included, as plain configuration, so a module that it built saves
        # all of them, and the checkpoint alone can rebuild the module.
        self.save_hyperparameters(ignore=self.not_hyperparameters)
        if "_instantiator" in self.hparams:
            self.save_hyperparameters()
        self.backbone = backbone
        self._optimizer = optimizer
        self._lr_scheduler = lr_scheduler
        self._encoding = Encoding()

    @property
    def attached_trainer(self) -> Trainer | None:
        """The trainer; ``None`` if the module has no trainer."""
        with suppress(RuntimeError):
            return self.trainer
        return None

    def on_fit_start(self) -> None:
        """Note how the data module encodes its rows."""
        self._encoding.note(self.trainer)

    @property
    def scheduled_epochs(self) -> int:
        """Number of epochs of a scheduler; those of the trainer."""
        return epochs_of(self.trainer)

    def on_train_start(self) -> None:
        """Set the length of a :class:`~pear_lightning.training.CosineDecay` that has none.

        The data are loaded by now. To load them earlier would lose the place in an epoch that a
        resumed fit restores.
        """
        for config in self.trainer.lr_scheduler_configs:
            scheduler = config.scheduler
            if isinstance(scheduler, CosineDecay) and scheduler.n_epochs is None:
                scheduler.n_epochs = self.scheduled_epochs

    def on_validation_start(self) -> None:
        """Warn if the data module encodes its rows differently from that of the fit."""
        self._encoding.check(self.trainer)

    def on_test_start(self) -> None:
        """Warn if the data module encodes its rows differently from that of the fit."""
        self._encoding.check(self.trainer)

    def on_predict_start(self) -> None:
        """Warn if the data module encodes its rows differently from that of the fit."""
        self._encoding.check(self.trainer)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save how the data module of the fit encodes its rows.

        Args:
            checkpoint: The checkpoint.
        """
        checkpoint["encoding_id"] = self._encoding.name

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore how the data module of the fit encodes its rows.

        Args:
            checkpoint: The checkpoint.
        """
        self._encoding.name = checkpoint.get("encoding_id")

    @abstractmethod
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch.

        Args:
            batch: A batch of the data loader.
            batch_idx: Index of the batch in the epoch.
        """

    def log_parts(self, parts: dict[str, Tensor], batch_size: int) -> Tensor:
        """Log the parts of a training loss every ``log_every_n_steps``.

        Args:
            parts: Scalars by name, including ``"loss"``.
            batch_size: Number of rows of the batch.

        Returns:
            ``parts["loss"]``.
        """
        if self._logs_now():
            for name, value in parts.items():
                self.log(
                    f"train_{name}",
                    value.detach(),
                    prog_bar=name != "task_loss",
                    batch_size=batch_size,
                )
        return parts["loss"]

    def _logs_now(self) -> bool:
        """Whether loggers record this step, or it is the last step of the epoch.

        Other steps skip ``self.log``, which takes a quarter of the step time of small models.
        """
        every = self.trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        return self.trainer.is_last_batch or (self.trainer.global_step + 1) % every == 0

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser; subclasses override it to give parameters different rates."""
        return self._optimizer(self.parameters())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser and, if given, its scheduler."""
        optimizer = self.make_optimizer()
        if self._lr_scheduler is None:
            return optimizer
        scheduler: Any = self._lr_scheduler(optimizer)
        config = {"scheduler": scheduler, "monitor": self.monitored}
        return {"optimizer": optimizer, "lr_scheduler": config}  # type: ignore[return-value]
