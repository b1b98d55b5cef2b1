"""Base class of methods that train a network for a task."""

from abc import abstractmethod
from typing import Any, Literal

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from pear_lightning.functional.validation import at_least_float32, check_count, is_traced
from pear_lightning.modules.base import ExplainedModule, adamw
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.probability_outputs import warn_of_probabilities
from pear_lightning.scoring.scorer import run_model
from pear_lightning.training.mode_independence import same_in_both_modes
from pear_lightning.training.objective import Objective, Terms
from pear_lightning.training.per_loader import PerLoader, loader_suffixes

Task = Literal["classification", "regression"]
Stage = Literal["val", "test"]


class SupervisedModule(ExplainedModule):
    """Base class of modules that train a network for a task with an objective on its explanations.

    Subclasses implement :meth:`training_loss` as the equation of the paper. This class reads
    batches and computes the task loss and the task metrics.

    Batches have any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads: ``(inputs,
    target)``, ``(inputs, target, mask)``, ``(inputs, target, mask, forward_kwargs)``, or a mapping,
    such as those of Hugging Face. A method ignores the parts that it does not use.

    Args:
        backbone: Any module that maps inputs ``(B, *S)`` to logits ``(B, C)``; for regression, to
            ``(B, 1)`` or ``(B,)``. If it has a method ``embed``, token ids are embedded with it
            when gradients of the inputs are needed.
        task: ``"classification"`` (cross-entropy, target ``(B,)`` long) or ``"regression"``
            (squared error, target ``(B,)`` float).
        num_classes: Number of classes C; not used for regression.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once per epoch.

    Raises:
        TypeError: If the backbone is not a module, or the optimiser is not callable.
        ValueError: If a value is out of range.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        task: Task = "classification",
        num_classes: int = 2,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(backbone, optimizer=optimizer, lr_scheduler=lr_scheduler)
        if task not in ("classification", "regression"):
            raise ValueError(f"task must be 'classification' or 'regression', got {task!r}")
        if task == "classification":
            check_count("num_classes", num_classes, least=2)
        self.task: Task = task
        self.num_classes = num_classes
        metrics = self.task_metrics()
        self.val_metrics = metrics.clone(prefix="val_")
        self.test_metrics = metrics.clone(prefix="test_")
        self._per_loader = PerLoader()
        self._same_in_both_modes = (-1, False)
        self._looked_at_logits = False

    def setup(self, stage: str) -> None:
        """Reset the cached comparison of train mode and eval mode.

        Args:
            stage: Not used.
        """
        self._same_in_both_modes = (-1, False)
        self._looked_at_logits = False

    @abstractmethod
    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return the loss of a batch and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.

        Returns:
            Scalars to log, including ``"loss"``, which is minimised.
        """

    # --- batches ----------------------------------------------------------------------------

    def batch_of(self, batch: Any, *, labelled: bool = True) -> Batch:
        """Read a batch.

        Args:
            batch: A batch in any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>`
                reads.
            labelled: Whether the batch must have a target.

        Returns:
            The batch; token ids are embedded if the method needs it and the backbone supports it.

        Raises:
            TypeError: If the batch has another form.
            ValueError: If the batch has no target, or a label is not a class.
        """
        read = Batch.of(batch)
        if labelled:
            self._check_target(read)
        if read.inputs.is_floating_point() or not self.needs_embeddings:
            return read
        return embedded(read, self.backbone)

    def explained_inputs(self, batch: Any) -> Tensor:
        """Return the inputs of a batch that are explained, embeddings in place of token ids.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
        """
        return self.batch_of(batch, labelled=False).inputs

    @property
    def needs_embeddings(self) -> bool:
        """Whether token ids are replaced by their embeddings, which have gradients."""
        return True

    def explained(self, batch: Batch) -> Batch:
        """Return a batch whose target is the explained output.

        Args:
            batch: The batch, with labels.

        Returns:
            For classification, the same batch, so the true class is explained; for regression, the
            batch without target, because the model has one output.
        """
        return batch if self.task == "classification" else batch.explaining(None)

    def run_backbone(self, batch: Batch) -> Tensor:
        """Run the backbone on a batch and return logits ``(B, C)``.

        Args:
            batch: The batch.
        """
        return run_model(self.backbone, batch.inputs, batch.forward_kwargs)

    def forward(self, inputs: Tensor, **forward_kwargs: Any) -> Tensor:
        """Run the backbone on inputs and return logits ``(B, C)``.

        Args:
            inputs: Inputs, ``(B, *S)``.
            **forward_kwargs: Further keyword arguments of the backbone.
        """
        return run_model(self.backbone, inputs, forward_kwargs)

    # --- the task ---------------------------------------------------------------------------

    def task_metrics(self) -> MetricCollection:
        """Return the metrics of the task.

        Accuracy (higher is better) for classification; mean squared and mean absolute error
        (lower is better) for regression.
        """
        if self.task == "classification":
            accuracy = MulticlassAccuracy(self.num_classes, average="micro")
            return MetricCollection({"accuracy": accuracy}, compute_groups=False)
        return MetricCollection(
            {"mse": MeanSquaredError(), "mae": MeanAbsoluteError()}, compute_groups=False
        )

    def task_loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy, or the squared error for regression, averaged over the batch.

        Args:
            logits: Outputs of the backbone, ``(B, C)``.
            target: Target, ``(B,)``.

        Returns:
            Scalar.

        Raises:
            ValueError: If the number of logits differs from the number of classes.
        """
        if self.task == "classification":
            if not self._looked_at_logits and not is_traced(logits):
                self._looked_at_logits = True
                warn_of_probabilities("backbone", logits)
            if logits.ndim != 2 or logits.shape[1] != self.num_classes:
                raise ValueError(
                    f"backbone must return logits (B, {self.num_classes}) for "
                    f"num_classes={self.num_classes}, got {tuple(logits.shape)}"
                )
            # integers of other sizes, as NumPy has them, are classes, too
            return F.cross_entropy(logits, target if target.is_floating_point() else target.long())
        outputs = self._single_output(logits)
        return F.mse_loss(outputs, target.to(outputs.dtype).flatten())

    def terms(self, objective: Objective, batch: Batch) -> Terms:
        """Return the terms of an objective for a batch, with the loss of the task.

        Args:
            objective: The objective.
            batch: The batch, with labels.
        """
        terms: Terms = objective(
            self.backbone,
            self.explained(batch),
            lambda logits: self.task_loss(logits, batch.labels),
            shares_logits=lambda: self.same_in_both_modes(batch),
            trainer=self.attached_trainer,
        )
        return terms

    def same_in_both_modes(self, batch: Batch) -> bool:
        """Return whether the backbone computes the same function in train and eval mode.

        If it does, the logits of the explanation pass, in eval mode, can be used for the task loss.
        The comparison is repeated in each epoch, because dropout rates may change.

        Args:
            batch: The batch on which both modes are compared.
        """
        asked, answer = self._same_in_both_modes
        if asked != self.current_epoch and not is_traced(batch.inputs):
            answer = same_in_both_modes(self.backbone, batch)
            self._same_in_both_modes = (self.current_epoch, answer)
        return answer

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch, and log its parts every ``log_every_n_steps``.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
            batch_idx: Index of the batch in the epoch.
        """
        read = self.batch_of(batch)
        return self.log_parts(self.training_loss(read), len(read))

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the task loss and metrics.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        self.log_task("val", batch, self.run_backbone(batch), dataloader_idx)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the task loss and metrics.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        self.log_task("test", batch, self.run_backbone(batch), dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Log the task metrics of each data loader."""
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Log the task metrics of each data loader."""
        self._log_metrics("test")

    def of_loader(self, name: str, dataloader_idx: int = 0) -> Any:
        """Return the metric that measures one of several data loaders.

        Args:
            name: Attribute of the module that holds the metric of the first loader, such as
                ``"test_metrics"``.
            dataloader_idx: Index of the data loader.
        """
        return self._per_loader.of(name, getattr(self, name), dataloader_idx)

    def loader_suffixes(self, stage: Stage) -> list[str]:
        """Return what Lightning adds to the names of the metrics of each loader.

        Args:
            stage: ``"val"`` or ``"test"``.

        Returns:
            One string per data loader, ``"/dataloader_idx_1"`` for the second; ``[""]`` for a
            single loader.
        """
        batches = self.trainer.num_val_batches if stage == "val" else self.trainer.num_test_batches
        return loader_suffixes(len(batches))

    def _log_metrics(self, stage: Stage) -> None:
        for number, suffix in enumerate(self.loader_suffixes(stage)):
            metrics = self.of_loader(f"{stage}_metrics", number)
            if not any(metric.update_called for metric in metrics.values()):
                continue
            for name, value in metrics.compute().items():
                # all processes have the same value, of all rows
                self.log(
                    f"{name}{suffix}",
                    value,
                    prog_bar=stage == "val",
                    sync_dist=True,
                    add_dataloader_idx=False,
                )
            metrics.reset()

    def log_task(self, stage: Stage, batch: Batch, logits: Tensor, dataloader_idx: int = 0) -> None:
        """Log the task loss of an evaluation batch, and update the task metrics.

        Args:
            stage: ``"val"`` or ``"test"``.
            batch: The batch, with labels.
            logits: Outputs of the backbone, ``(B, C)``.
            dataloader_idx: Index of the data loader.
        """
        metrics = self.of_loader(f"{stage}_metrics", dataloader_idx)
        task_loss = self.task_loss(logits, batch.labels)
        if self.task == "classification":
            metrics.update(logits, batch.labels)
        else:
            metrics.update(self._single_output(logits), batch.labels.flatten())
        self.log(
            f"{stage}_loss",
            task_loss,
            prog_bar=stage == "val",
            batch_size=len(batch),
            sync_dist=True,
        )

    def prediction(self, logits: Tensor) -> Tensor:
        """Return the predictions ``(B,)``: classes, or values for regression.

        Args:
            logits: Outputs of the backbone, ``(B, C)``.
        """
        return logits.argmax(dim=1) if self.task == "classification" else logits.flatten()

    def _single_output(self, outputs: Tensor) -> Tensor:
        """Return the outputs of a regression, ``(B,)``, float32 or better.

        A target in the precision of the model would be another target: 1001.5 is 1000 in bfloat16.
        """
        if outputs.ndim == 2 and outputs.shape[1] != 1:
            raise ValueError(
                "backbone must have one output, (B, 1) or (B,), for task='regression', got "
                f"{tuple(outputs.shape)}"
            )
        return at_least_float32(outputs).flatten()

    def _check_target(self, batch: Batch) -> None:
        """Raise for labels that are not classes; a GPU error would not name them."""
        _ = batch.labels
        if self.task != "classification" or is_traced(batch.labels) or batch.class_range is None:
            return
        low, high = batch.class_range
        if low < 0 or high >= self.num_classes:
            raise ValueError(
                f"target must lie in 0..{self.num_classes - 1} (num_classes={self.num_classes}), "
                f"got values from {low} to {high}"
            )
