"""Right for the Right Reasons: training with annotations of irrelevant features."""

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Gradient
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.functional.entropy import entropy
from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses import ExplanationLoss, RightReasonsLoss
from pear_lightning.masking import Masker
from pear_lightning.modules.supervised import Stage, SupervisedModule, Task
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective, weight_schedule
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_references
from pear_lightning.training.weight_schedule import WeightSchedule


def adam(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return Adam with the learning rate of the paper, 1e-3.

    Args:
        params: Parameters to optimise.
    """
    return torch.optim.Adam(params, lr=1e-3)


class RightForTheRightReasons(SupervisedModule):
    r"""Train a model that does not use features annotated as irrelevant.

    .. math:: L = \mathrm{CE}(f(x), y) + \lambda R, \qquad
              R = \frac{1}{N} \sum_n \sum_d \left( A_{nd} \frac{\partial}{\partial x_{nd}}
              \sum_k \log \hat p_{nk} \right)^2

    R is :class:`~pear_lightning.losses.RightReasonsLoss` or any other explanation loss.

    Batches are ``(inputs, target)``, ``(inputs, target, mask)``,
    ``(inputs, target, mask, forward_kwargs)``, or have any other form that
    :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads. In the mask, 1 marks features that
    must **not** matter; a row of zeros is not annotated. A few annotated rows have more effect if
    batches contain them more often: use ``annotated_per_batch`` of the annotated data modules, or
    the batch sampler :class:`~pear_lightning.datamodules.AlwaysInclude`.

    The module logs the task metrics, ``train_reasons`` (R) and ``train_ratio`` (λ R divided by the
    task loss). In validation and test, it logs ``reasons`` and the mean ``entropy`` of the
    predictions, because less certain predictions also lower R.

    *The weight* depends on the scale of the inputs (see the loss for the conversion of the paper's
    values) and on the confidence of the model. ``match_magnitude`` trains without R for some
    epochs, and then sets the weight such that the explanations that the model has learned cost as
    much as knowing nothing, the task loss of the first step. That is a start: raise the weight, by
    factors of 10, until the training accuracy decreases, which shows that the confound is no longer
    used. Validation data with the same confound favour too small a weight, and ``train_ratio`` does
    not show a good one: it is near 0 at the first steps (an untrained model predicts almost
    uniformly) and decreases again when the penalty has its effect.

    Args:
        backbone: Any module that maps inputs ``(B, *S)`` to logits ``(B, C)``.
        weight: λ, at least 0; with ``match_magnitude``, λ R at ``start_epoch`` divided by the first
            task loss.
        loss: R; ``None`` is :class:`~pear_lightning.losses.RightReasonsLoss`, the loss of the
            paper.
        masker: Masker that defines the features (patches, tokens, columns) of masks that are given
            per feature, ``(B, n)``. ``None`` if all masks have the shape of the inputs, which they
            may have with a masker, too.
        start_epoch: Epochs of training without R; fractions count batches, except in the first
            epoch of data of unknown length.
        match_magnitude: Whether to measure R in the last quarter of the epochs before
            ``start_epoch``, and to scale it to the task loss of the first step; see
            :class:`~pear_lightning.training.MatchedMagnitude`. The model must have started to learn
            by then: while it predicts almost uniformly, R is nearly 0 and the weight is far too
            large.
            (Decoy digits, 64 epochs, seed 0: a start after 1, 4, 8, 16 epochs gives weights of
            14,000, 16, 0.09 and 0.01, and test accuracies of .89, .95, .96 and .97.)
        points_per_pass: Bound on the query points of each sample in one pass.
        rows: Rows of a batch on which the explanation loss is computed, drawn at random in each
            step: a share, a float in (0, 1], or a number, an int; of the annotated rows.
            ``None`` means all. See :class:`~pear_lightning.training.Objective`.
        every: Compute the explanation loss at every q-th step only, with q times its weight.
        task: ``"classification"`` or ``"regression"``, which needs a loss that explains the output
            itself, such as ``RightReasonsLoss(output="logit")``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; Adam with rate 1e-3 by default. The
            term λ₂ Σ θ² of the paper is a ``weight_decay`` of 2 λ₂ / N for Adam (not AdamW), where
            N is the batch size.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range; in training, if masks do not fit the inputs or hold
            values other than 0 and 1, or a label is not a class.

    Warns:
        UserWarning: At the end of training, if R never acted: nothing was annotated, or
            ``start_epoch`` was not reached; and after the first whole epoch with R, if nothing was
            annotated.

    Shapes:
        - batch: inputs ``(B, *S)``, target ``(B,)`` and mask ``(B, *S)`` (size 1 in dimensions over
          which it is broadcast), ``(B, H, W)`` for images, or ``(B, n)`` with a masker; keyword
          arguments that are tensors have ``B`` rows
        - prediction: see :meth:`predict_step`

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model = RightForTheRightReasons(MLP(4), weight=10.0)
        >>> inputs, target, mask = torch.rand(8, 4), torch.randint(2, (8,)), torch.zeros(8, 4)
        >>> mask[:3, 0] = 1  # in three rows, the first feature must not matter
        >>> sorted(model.training_loss((inputs, target, mask)))
        ['loss', 'ratio', 'reasons', 'task_loss']

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons: Training Differentiable Models by
        Constraining their Explanations*, IJCAI 2017, arXiv 1703.03717, section 2. Magnitude
        matching automates the advice of the authors' notebook.

    Loading:
        Checkpoints do not contain objects: ``load_from_checkpoint(path, backbone=..., loss=...)``
        needs the backbone again, and loss and masker unless they are the defaults. Models trained
        with the command line are rebuilt without these arguments.

    Deviations from the paper:
        Both losses are averaged over the batch instead of summed, which does not change λ.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *SupervisedModule.not_hyperparameters,
        "loss",
        "masker",
    )

    def __init__(
        self,
        backbone: nn.Module,
        weight: float = 1.0,
        loss: ExplanationLoss | None = None,
        *,
        masker: Masker | None = None,
        start_epoch: float = 0.0,
        match_magnitude: bool = False,
        points_per_pass: int | None = None,
        rows: int | float | None = None,
        every: int = 1,
        task: Task = "classification",
        num_classes: int = 2,
        optimizer: OptimizerCallable = adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            backbone,
            task=task,
            num_classes=num_classes,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        loss = RightReasonsLoss() if loss is None else loss
        self.objective = Objective(
            loss,
            weight_schedule(weight, start_epoch=start_epoch, match_magnitude=match_magnitude),
            points_per_pass=points_per_pass,
            rows=rows,
            every=every,
        )
        if masker is not None:
            loss.with_masks_of(masker)
        if task == "regression" and loss.needs_classes:
            raise ValueError(
                f"loss must not need classes for task='regression', got {type(loss).__name__}; use "
                "a loss that explains the output itself, such as RightReasonsLoss(output='logit')"
            )

    @property
    def loss(self) -> ExplanationLoss:
        """The explanation loss R."""
        return self.objective.loss

    @property
    def weight(self) -> WeightSchedule:
        """The schedule of λ."""
        return self.objective.schedule

    def on_fit_start(self) -> None:
        """Raise for precisions that cannot train explanations, and fit reference data.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        super().on_fit_start()
        refuse_precision(self.trainer, self.loss)
        fit_references(self, afresh=self.trainer.ckpt_path is None, inputs_of=self.explained_inputs)

    def on_train_start(self) -> None:
        """Start to record whether R acts, and warn if gradient accumulation changes it."""
        super().on_train_start()
        self.objective.on_train_start(self.trainer)

    def on_train_epoch_end(self) -> None:
        """Warn if R has had no part in the training so far."""
        self.objective.on_train_epoch_end(self.trainer)

    def on_train_end(self) -> None:
        """Warn if R had no part in the training."""
        self.objective.on_train_end(self.trainer)

    def on_validation_start(self) -> None:
        """Fit missing reference data, if the data module has them."""
        super().on_validation_start()
        fit_references(self)

    def on_test_start(self) -> None:
        """Fit missing reference data, if the data module has them."""
        super().on_test_start()
        fit_references(self)

    # --- training ---------------------------------------------------------------------------

    @property
    def needs_embeddings(self) -> bool:
        """Whether token ids are replaced by their embeddings, which have gradients."""
        return self.objective.loss.needs_floating_inputs

    def explained(self, batch: Batch) -> Batch:
        """Return the batch that R receives, see :meth:`SupervisedModule.explained`.

        Args:
            batch: The batch, with labels.

        Returns:
            A loss that explains the task loss receives the target of a regression, too.
        """
        return batch if self.loss.explains_task_loss else super().explained(batch)

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return ``L = CE + λ R`` and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads; in the mask, 1 marks
                features that must not matter.

        Returns:
            ``loss``, ``task_loss``, ``reasons`` if R was computed, and ``ratio`` if its weight is
            above 0.
        """
        return self.terms(self.objective, self.batch_of(batch)).named("reasons")

    # --- evaluation -------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log task metrics, R and the entropy of the predictions.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        self._evaluate("val", self.batch_of(batch), dataloader_idx)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log task metrics, R and the entropy of the predictions.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        self._evaluate("test", self.batch_of(batch), dataloader_idx)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Return predictions and their explanations, as shown in the paper.

        Args:
            batch: As in training; only inputs and keyword arguments are used.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``attributions``: the ``gradient`` ``(B, *S)`` of the largest probability (for
            regression, of the output itself).
        """
        batch = self.batch_of(batch, labelled=False)
        classes = self.task == "classification"
        logits, (gradient,) = explain_batch(
            self.backbone,
            batch.explaining(0 if classes else None),  # the scalar does not use the target
            [Gradient()],
            output="max_prob" if classes else "logit",
        )
        prediction = self.prediction(logits)
        return {"logits": logits, "prediction": prediction, "attributions": {"gradient": gradient}}

    def _evaluate(self, stage: Stage, batch: Batch, dataloader_idx: int) -> None:
        logits, reasons = self.objective.of_model(self.backbone, self.explained(batch))
        if logits is None:
            logits = self.run_backbone(batch)
        self.log_task(stage, batch, logits, dataloader_idx)
        self.log(f"{stage}_reasons", reasons, batch_size=len(batch), sync_dist=True)
        if self.task == "classification":
            probabilities = torch.softmax(at_least_float32(logits), dim=1)
            self.log(
                f"{stage}_entropy",
                entropy(probabilities).mean(),
                batch_size=len(batch),
                sync_dist=True,
            )
