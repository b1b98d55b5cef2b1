"""What all methods share as Lightning modules."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn


def adamw(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return AdamW with the PEAR paper's settings: learning rate 5e-4, weight decay 2e-4.

    Args:
        params: Parameters to optimise.
    """
    return torch.optim.AdamW(params, lr=5e-4, weight_decay=2e-4)


class ExplainedModule(LightningModule, ABC):
    """A network that is trained by a method of explanations.

    Optimisers, hyperparameters and logging are here; what is minimised is a subclass's. A method
    that trains the network for a task stands on
    :class:`~pear_lightning.modules.SupervisedModule`.

    Args:
        backbone: The network that is trained.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once an epoch.

    Raises:
        TypeError: If the backbone is no module, or the optimiser no callable.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = ("backbone", "optimizer", "lr_scheduler")
    """Arguments that hold objects, which a checkpoint cannot hold safely."""

    monitored: ClassVar[str] = "val_loss"
    """What a scheduler that needs a value, such as ``ReduceLROnPlateau``, watches."""

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
        # A checkpoint holds what loads under weights_only=True. Built by the command line, the
        # arguments are known as plain configuration, objects included: all of it is kept then,
        # so that the checkpoint can rebuild the module by itself.
        self.save_hyperparameters(ignore=self.not_hyperparameters)
        if "_instantiator" in self.hparams:
            self.save_hyperparameters()
        self.backbone = backbone
        self._optimizer = optimizer
        self._lr_scheduler = lr_scheduler

    @property
    def attached_trainer(self) -> Trainer | None:
        """The trainer, ``None`` while there is none."""
        with suppress(RuntimeError):
            return self.trainer
        return None

    @abstractmethod
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch.

        Args:
            batch: What the data loader yields.
            batch_idx: Index of the batch in the epoch.

        Returns:
            The loss.
        """

    def log_parts(self, parts: dict[str, Tensor], batch_size: int) -> Tensor:
        """Log the parts of a training loss every ``log_every_n_steps``.

        Args:
            parts: Scalars by name, among them ``"loss"``.
            batch_size: Rows of the batch.

        Returns:
            The loss.
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
        """Whether a logger takes this step's values, or nobody will take any later this epoch.

        ``self.log`` does its bookkeeping at every call: for small models, a quarter of the step.
        """
        every = self.trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        return self.trainer.is_last_batch or (self.trainer.global_step + 1) % every == 0

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser; overridden where parameters have rates of their own."""
        return self._optimizer(self.parameters())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser and, where asked for, its scheduler."""
        optimizer = self.make_optimizer()
        if self._lr_scheduler is None:
            return optimizer
        scheduler: Any = self._lr_scheduler(optimizer)
        config = {"scheduler": scheduler, "monitor": self.monitored}
        return {"optimizer": optimizer, "lr_scheduler": config}  # type: ignore[return-value]
