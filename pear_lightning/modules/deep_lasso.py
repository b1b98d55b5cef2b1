"""Deep Lasso: training for few features by a group lasso of the input gradient."""

from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses import DeepLassoLoss
from pear_lightning.modules.base import Batch, Task, adamw
from pear_lightning.modules.scored_module import ScoredModule, in_features_of

_PRECISIONS = ("32-true", "64-true", "bf16-mixed")


class DeepLasso(ScoredModule):
    r"""Train a backbone whose loss depends on few features, scored by the loss gradient.

    .. math:: (1 - a) \, L + a \sum_j \sqrt{\sum_k
              \left(\frac{\partial L}{\partial x_{kj}}\right)^2 + 10^{-8}}

    There is no gate: the score of a feature is the root mean square, over the training rows of an
    epoch, of the gradient of a row's loss at that feature. As other scores it depends on the scale
    of the inputs.

    Args:
        backbone: Any module: inputs ``(B, *S)`` to logits ``(B, C)``; for regression to ``(B, 1)``
            or ``(B,)``.
        weight: a in [0, 1], the share of the penalty. No value is right for all data: the paper
            tunes it.
        in_features: Number of features of a row, after flattening; ``None`` asks the backbone.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range.

    Shapes:
        - batch: inputs ``(B, *S)`` and target ``(B,)``
        - scores: ``(n,)``, n the number of entries of S

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model = DeepLasso(MLP(6), weight=0.2)
        >>> parts = model.training_loss(torch.randn(8, 6), torch.randint(2, (8,)))
        >>> sorted(parts)
        ['loss', 'penalty', 'task_loss']

    References:
        V. Cherepanova, R. Levin, G. Somepalli, J. Geiping, C. B. Bruss, A. G. Wilson, T. Goldstein,
        M. Goldblum. *A performance-driven benchmark for feature selection in tabular deep
        learning.* NeurIPS 2023 Datasets and Benchmarks, arXiv 2311.05877.

    Deviations from the paper:
        The gradient is that of the model in eval mode, without dropout. Scores are a root mean
        square over rows; the authors' code sums means of absolute values. The default of a is ours.
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
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must lie in [0, 1], got {weight}")
        count = in_features_of(backbone) if in_features is None else in_features
        self.weight = weight
        self.penalty = DeepLassoLoss()
        self.register_buffer("last_scores", torch.zeros(count))
        # not buffers: DistributedDataParallel would give every rank those of the first
        self._squares: Tensor | None = None
        self._rows = 0

    @property
    def scores(self) -> Tensor:
        """Root mean square of the loss gradient in the last training epoch, ``(n,)``."""
        return self.last_scores.clone()

    def on_fit_start(self) -> None:
        """Refuse precisions that gradients of the input cannot be trained in.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        if self.trainer.precision not in _PRECISIONS:
            raise ValueError(
                f"precision={self.trainer.precision!r} cannot train gradients of the input: they "
                f"are not scaled, or too coarse. Use one of {', '.join(_PRECISIONS)}"
            )

    def training_loss(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return ``(1 − a) L + a R`` and its parts.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.

        Returns:
            ``loss``, ``task_loss`` and ``penalty``.
        """
        reuse = self.same_in_both_modes(inputs)
        logits, gradients = self.loss_gradients(inputs, target)
        if not reuse:
            logits = self.backbone(inputs)
        self._remember(gradients.detach())
        task_loss, penalty = self.task_loss(logits, target), self.penalty(gradients)
        loss = (1 - self.weight) * task_loss + self.weight * penalty
        return {"loss": loss, "task_loss": task_loss, "penalty": penalty}

    def loss_gradients(self, inputs: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the gradient of each row's own loss, up to its sign.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.

        Returns:
            Logits ``(B, C)`` and gradients ``(B, *S)``.
        """
        if self.task == "classification":
            logits, (gradients,) = explain(
                self.backbone, inputs, target, [Gradient()], output="log_prob"
            )
        else:
            values = target.flatten()

            def squared_error(outputs: Tensor, _: Tensor) -> Tensor:
                return (outputs[:, 0] - values.to(outputs.dtype)).square()

            logits, (gradients,) = explain(
                self.backbone, inputs, None, [Gradient()], output=squared_error
            )
        return logits, gradients

    def on_train_epoch_start(self) -> None:
        """Forget the gradients of the epoch before."""
        self._squares, self._rows = None, 0

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Turn the epoch's gradients into scores after its last batch, over all ranks.

        Args:
            outputs: What the training step returned.
            batch: Inputs ``(B, *S)`` and target ``(B,)``.
            batch_idx: Index of the batch.
        """
        # callbacks read the scores at the end of the epoch, before this module's turn comes
        if not self.trainer.is_last_batch or self._squares is None:
            return
        rows = self._squares.new_tensor([self._rows])
        sums = self.trainer.strategy.reduce(torch.cat([self._squares, rows]), reduce_op="sum")
        self.last_scores.copy_((sums[:-1] / sums[-1]).sqrt())

    def _remember(self, gradients: Tensor) -> None:
        squares = at_least_float32(gradients).flatten(1).square().sum(dim=0)
        self._squares = squares if self._squares is None else self._squares + squares
        self._rows += len(gradients)
