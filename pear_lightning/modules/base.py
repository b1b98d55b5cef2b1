"""What all methods share as Lightning modules."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from pear_lightning.functional.validation import is_traced
from pear_lightning.training.mode_independence import same_in_both_modes

Task = Literal["classification", "regression"]
Batch = tuple[Tensor, Tensor]


def adamw(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return AdamW with the PEAR paper's settings: learning rate 5e-4, weight decay 2e-4.

    Args:
        params: Parameters to optimise.

    Returns:
        The optimiser.
    """
    return torch.optim.AdamW(params, lr=5e-4, weight_decay=2e-4)


class ExplainedModule(LightningModule, ABC):
    """A model trained with an objective that involves its explanations.

    Subclasses implement :meth:`training_loss`, which reads like the paper's equation. Task loss,
    metrics, optimisers and hyperparameters are here.

    Args:
        backbone: Any module: inputs ``(B, *S)`` to logits ``(B, C)``; for regression to ``(B, 1)``
            or ``(B,)``.
        task: ``"classification"`` (cross-entropy, target ``(B,)`` long) or ``"regression"``
            (squared error, target ``(B,)`` float).
        num_classes: Number of classes C; not used for regression.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once an epoch.

    Raises:
        TypeError: If the backbone is no module, or the optimiser no callable.
        ValueError: If a value is out of range.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = ("backbone", "optimizer", "lr_scheduler")
    """Arguments that hold objects, which a checkpoint cannot hold safely."""

    def __init__(
        self,
        backbone: nn.Module,
        *,
        task: Task = "classification",
        num_classes: int = 2,
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
        if task not in ("classification", "regression"):
            raise ValueError(f"task must be 'classification' or 'regression', got {task!r}")
        if task == "classification" and num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        # A checkpoint holds what loads under weights_only=True. Built by the command line, the
        # arguments are known as plain configuration, objects included: all of it is kept then,
        # so that the checkpoint can rebuild the module by itself.
        self.save_hyperparameters(ignore=self.not_hyperparameters)
        if "_instantiator" in self.hparams:
            self.save_hyperparameters()
        self.backbone = backbone
        self.task: Task = task
        self.num_classes = num_classes
        self._optimizer = optimizer
        self._lr_scheduler = lr_scheduler
        metrics = self.task_metrics()
        self.val_metrics = metrics.clone(prefix="val_")
        self.test_metrics = metrics.clone(prefix="test_")
        self._same_in_both_modes = (-1, False)

    def setup(self, stage: str) -> None:
        """Forget what was known of the backbone in an earlier run.

        Args:
            stage: What begins.
        """
        self._same_in_both_modes = (-1, False)

    @abstractmethod
    def training_loss(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the loss of a batch and its parts.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.

        Returns:
            Scalars to log, among them ``"loss"``, which is minimised.
        """

    def task_metrics(self) -> MetricCollection:
        """Return the metrics of the task.

        Accuracy (higher is better) for classification; mean squared and mean absolute error
        (lower is better) for regression.

        Returns:
            The metrics.
        """
        if self.task == "classification":
            accuracy = MulticlassAccuracy(self.num_classes, average="micro")
            return MetricCollection({"accuracy": accuracy}, compute_groups=False)
        return MetricCollection(
            {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()}, compute_groups=False
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Run the backbone.

        Args:
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Logits, ``(B, C)``.
        """
        logits: Tensor = self.backbone(inputs)
        return logits

    def task_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return cross-entropy, or squared error for regression, averaged over the batch.

        Args:
            logits: Outputs of the backbone, ``(B, C)``.
            target: Target, ``(B,)``.

        Returns:
            Scalar.

        Raises:
            ValueError: If there are not as many logits as classes.
        """
        if self.task == "classification":
            if logits.ndim != 2 or logits.shape[1] != self.num_classes:
                raise ValueError(
                    f"num_classes is {self.num_classes}, and logits (B, {self.num_classes}) are "
                    f"expected of the backbone, got {tuple(logits.shape)}"
                )
            return F.cross_entropy(logits, target)
        return F.mse_loss(self._single_output(logits), target.to(logits.dtype).flatten())

    def same_in_both_modes(
        self, inputs: Tensor, forward_kwargs: Mapping[str, Any] | None = None
    ) -> bool:
        """Return whether logits of the explained model, in eval mode, may train the task as well.

        Asked of the backbone once in each epoch, because rates of dropout may change in between.

        Args:
            inputs: A batch, ``(B, *S)``.
            forward_kwargs: Further keyword arguments of the backbone.

        Returns:
            Whether the backbone is one function in train and in eval mode.
        """
        asked, answer = self._same_in_both_modes
        if asked != self.current_epoch and not is_traced():
            answer = same_in_both_modes(self.backbone, inputs, forward_kwargs)
            self._same_in_both_modes = (self.current_epoch, answer)
        return answer

    def explained_target(self, target: Tensor) -> Tensor | None:
        """Return which output of the model is explained: the true class, or the only output.

        Args:
            target: Target, ``(B,)``.

        Returns:
            Class indices ``(B,)``, or ``None`` for regression.
        """
        return target if self.task == "classification" else None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch, and log its parts every ``log_every_n_steps``.

        Args:
            batch: Inputs ``(B, *S)`` and target ``(B,)``.
            batch_idx: Index of the batch in the epoch.

        Returns:
            The loss.
        """
        inputs, target = batch
        return self.log_parts(self.training_loss(inputs, target), len(inputs))

    def log_parts(self, parts: dict[str, Tensor], batch_size: int) -> Tensor:
        """Log the parts of a training loss every ``log_every_n_steps``.

        Args:
            parts: What :meth:`training_loss` returned.
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
        """Build the optimiser; overridden where parameters have rates of their own.

        Returns:
            The optimiser.
        """
        return self._optimizer(self.parameters())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser and, where asked for, its scheduler.

        Returns:
            What Lightning expects.
        """
        optimizer = self.make_optimizer()
        if self._lr_scheduler is None:
            return optimizer
        scheduler: Any = self._lr_scheduler(optimizer)
        config = {"scheduler": scheduler, "monitor": "val_loss"}
        return {"optimizer": optimizer, "lr_scheduler": config}  # type: ignore[return-value]

    def log_task(
        self, stage: Literal["val", "test"], inputs: Tensor, logits: Tensor, target: Tensor
    ) -> None:
        """Log the task loss and the task metrics of an evaluation batch.

        Args:
            stage: ``"val"`` or ``"test"``.
            inputs: Inputs, ``(B, *S)``.
            logits: Outputs of the backbone, ``(B, C)``.
            target: Target, ``(B,)``.
        """
        metrics = self.val_metrics if stage == "val" else self.test_metrics
        task_loss = self.task_loss(logits, target)
        metrics.update(
            logits if self.task == "classification" else self._single_output(logits), target
        )
        self.log(
            f"{stage}_loss",
            task_loss,
            prog_bar=stage == "val",
            batch_size=len(inputs),
            sync_dist=True,
        )
        self.log_dict(metrics, prog_bar=stage == "val", batch_size=len(inputs))

    def _single_output(self, outputs: Tensor) -> Tensor:
        if outputs.ndim == 2 and outputs.shape[1] != 1:
            raise ValueError(
                "task='regression' needs a backbone with one output, (B, 1) or (B,), got "
                f"{tuple(outputs.shape)}"
            )
        return outputs.flatten()
