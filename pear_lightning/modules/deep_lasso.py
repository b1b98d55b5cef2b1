"""Deep Lasso: feature selection with a group lasso on the input gradient of the loss."""

from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses import DeepLassoLoss
from pear_lightning.modules.base import adamw
from pear_lightning.modules.scored_module import ScoredModule, in_features_of
from pear_lightning.modules.supervised import Task
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective
from pear_lightning.training.precision import refuse_precision


class DeepLasso(ScoredModule):
    r"""Train a backbone whose loss depends on few features, and score them by its gradient.

    .. math:: (1 - a) \, L + a \sum_j \sqrt{\sum_k
              \left(\frac{\partial L}{\partial x_{kj}}\right)^2 + 10^{-8}}

    There is no gate. The score of a feature is the root mean square, over the training rows of an
    epoch (of its part that was trained, if the training ends within it), of the gradient of the
    row's loss with respect to that feature. Like other scores, it
    depends on the scale of the inputs. The penalty depends on the number of rows of a batch, but
    not on the number of devices over which they are distributed; see
    :class:`~pear_lightning.losses.DeepLassoLoss`, also for gradient accumulation.

    Args:
        backbone: Any module that maps inputs ``(B, *S)`` to logits ``(B, C)``; for regression, to
            ``(B, 1)`` or ``(B,)``.
        weight: a in [0, 1], the share of the penalty. The best value depends on the data; the paper
            tunes it.
        in_features: Number of features of a row, after flattening; ``None`` takes ``in_features``
            of the backbone.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range.

    Shapes:
        - batch: inputs ``(B, *S)`` and target ``(B,)``
        - scores: ``(n,)``, where n is the number of entries of S

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model = DeepLasso(MLP(6), weight=0.2)
        >>> parts = model.training_loss((torch.randn(8, 6), torch.randint(2, (8,))))
        >>> sorted(parts)
        ['loss', 'penalty', 'ratio', 'task_loss']

    References:
        V. Cherepanova, R. Levin, G. Somepalli, J. Geiping, C. B. Bruss, A. G. Wilson, T. Goldstein,
        M. Goldblum. *A performance-driven benchmark for feature selection in tabular deep
        learning.* NeurIPS 2023 Datasets and Benchmarks, arXiv 2311.05877.

    Deviations from the paper:
        The gradient is computed in eval mode, without dropout. Scores are a root mean square over
        rows; the authors' code sums means of absolute values. The default of a is ours.
    """

    last_scores: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        weight: float = 0.1,
        *,
        in_features: int | None = None,
        task: Task = "classification",
        num_classes: int = 2,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            backbone,
            task=task,
            num_classes=num_classes,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        count = in_features_of(backbone) if in_features is None else in_features
        penalty = DeepLassoLoss()
        self.objective = Objective(penalty, weight)
        penalty.register_forward_hook(self._remember)
        self.register_buffer("last_scores", torch.zeros(count))
        # not buffers, which DistributedDataParallel would overwrite with those of the first rank
        self._squares: Tensor | None = None
        self._rows = 0
        self._pending = False  # whether the scores lack some of these rows

    @property
    def loss(self) -> DeepLassoLoss:
        """The penalty R."""
        return self.objective.loss  # type: ignore[return-value]

    @property
    def weight(self) -> float:
        """a, the share of the penalty; may be set to another number in [0, 1]."""
        return self.objective.schedule.weight

    @weight.setter
    def weight(self, weight: float) -> None:
        self.loss.task_weight(weight)  # refuses weights out of range
        self.objective.schedule.weight = weight

    @property
    def scores(self) -> Tensor:
        """Root mean square of the loss gradient in the last training epoch, ``(n,)``."""
        return self.last_scores.clone()

    def on_fit_start(self) -> None:
        """Raise for precisions that cannot train gradients of the inputs.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        super().on_fit_start()
        refuse_precision(self.trainer, self.objective.loss)

    def on_train_start(self) -> None:
        """Warn if gradient accumulation changes the penalty."""
        super().on_train_start()
        self.objective.on_train_start(self.trainer)

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return ``(1 − a) L + a R`` and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.

        Returns:
            ``loss``, ``task_loss`` and, with a > 0, ``penalty`` and ``ratio``.
        """
        batch = self.batch_of(batch)
        terms = self.terms(self.objective, batch)
        if terms.penalty is None:  # the scores are also computed at a weight of 0
            with torch.no_grad():
                self.objective.of_model(self.backbone, batch)
        return terms.named("penalty")

    def explained(self, batch: Batch) -> Batch:
        """Return the batch unchanged: the loss is explained, which needs the labels.

        Args:
            batch: The batch, with labels.
        """
        return batch

    def on_train_epoch_start(self) -> None:
        """Reset the sums of the previous epoch."""
        self._squares, self._rows, self._pending = None, 0, False

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Compute the scores of the epoch after its last batch, over all ranks.

        Args:
            outputs: Not used.
            batch: Not used.
            batch_idx: Not used.
        """
        # not in on_train_epoch_end, where callbacks read the scores before the module's hook runs
        trainer = self.trainer
        reached = 0 < trainer.max_steps <= trainer.global_step
        if trainer.is_last_batch or reached or trainer.should_stop:
            self._form_scores()

    def on_train_epoch_end(self) -> None:
        """Compute the scores if the epoch ended before its last batch, and log them."""
        self._form_scores()
        super().on_train_epoch_end()

    def on_train_end(self) -> None:
        """Compute the scores if the training ended in the middle of an epoch."""
        self._form_scores()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the sums of the epoch so far, of this rank.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_save_checkpoint(checkpoint)
        if self._squares is not None:
            checkpoint["score_sums"] = (self._squares.cpu(), self._rows, self._pending)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the sums of an epoch that is continued; on all ranks, those of the first.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_load_checkpoint(checkpoint)
        nothing = (None, 0, False)
        self._squares, self._rows, self._pending = checkpoint.get("score_sums", nothing)

    def _form_scores(self) -> None:
        """Compute the scores from sums that they do not contain yet; must run on all ranks."""
        if not self._pending or self._squares is None:
            return
        self._pending = False
        squares = self._squares.to(self.last_scores.device)
        rows = squares.new_tensor([self._rows])
        sums = self.trainer.strategy.reduce(torch.cat([squares, rows]), reduce_op="sum")
        self.last_scores.copy_((sums[:-1] / sums[-1]).sqrt())

    def _remember(self, _: nn.Module, gradients: tuple[Tensor, ...], __: Tensor) -> None:
        """Add the squared gradients of a training step to the sums for the scores."""
        rows = at_least_float32(gradients[0].detach()).flatten(1)
        squares = rows.square().sum(dim=0)
        self._squares = squares if self._squares is None else self._squares.to(squares) + squares
        self._rows += len(rows)
        self._pending = True
