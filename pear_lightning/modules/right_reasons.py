"""Right for the Right Reasons: training with annotations of what must not matter."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.functional.regions import zeros_and_ones
from pear_lightning.functional.validation import at_least_float32, is_traced
from pear_lightning.losses import ExplanationLoss, RightReasonsLoss
from pear_lightning.masking import Masker
from pear_lightning.modules.annotated_batch import AnnotatedBatch, parts_of
from pear_lightning.modules.base import ExplainedModule, Task
from pear_lightning.training.penalty_weight import PenaltyWeight, epochs_so_far, warn_if_idle
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_references


def adam(params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return Adam with the learning rate of the paper, 1e-3.

    Args:
        params: Parameters to optimise.

    Returns:
        The optimiser.
    """
    return torch.optim.Adam(params, lr=1e-3)


class RightForTheRightReasons(ExplainedModule):
    r"""Train a model that does not use what is annotated as irrelevant.

    .. math:: L = \mathrm{CE}(f(x), y) + \lambda R, \qquad
              R = \frac{1}{N} \sum_n \sum_d \left( A_{nd} \frac{\partial}{\partial x_{nd}}
              \sum_k \log \hat p_{nk} \right)^2

    R is :class:`~pear_lightning.losses.RightReasonsLoss` or any other explanation loss.

    Batches are ``(inputs, target)``, ``(inputs, target, mask)`` or
    ``(inputs, target, mask, forward_kwargs)``. The mask marks features that must **not** matter
    with 1; a row of zeros is not annotated. Keyword arguments of the backbone, such as an attention
    mask, come as a mapping; token ids become the embeddings that can be explained in Lightning's
    ``on_after_batch_transfer``. Few annotated rows weigh more
    where batches hold them more often: ``annotated_per_batch`` of the annotated data modules, or
    the batch sampler :class:`~pear_lightning.datamodules.AlwaysInclude`.

    Logged are the task metrics, ``train_reasons`` (R), ``train_ratio`` (λ R divided by the task
    loss: the usual place to begin is a ratio near 1), and for validation and test ``reasons`` and
    the mean ``entropy`` of the predictions, because R can also be lowered by becoming less certain.

    *The weight* depends on the scale of the inputs (see the loss for the conversion of the
    paper's values) and on how confident the model is. ``match_magnitude`` measures both losses
    after a warm-up and makes the weight their ratio. Validation data with the same confound as the
    training data prefer too small a weight: raise it until training accuracy suffers.

    Args:
        backbone: Any module: inputs ``(B, *S)`` to logits ``(B, C)``.
        weight: λ, at least 0; with ``match_magnitude`` the wanted ratio of λ R and the task loss.
        loss: R; ``None`` is :class:`~pear_lightning.losses.RightReasonsLoss`, the paper's.
        masker: What a feature is, where masks are given for features, ``(B, n)``: patches, tokens,
            columns. ``None`` takes masks shaped like the inputs.
        start_epoch: Epochs of training without R; fractions count batches.
        match_magnitude: Whether to measure both losses in the second half of the epochs before
            ``start_epoch``, and to scale R accordingly. By then the model must have begun to
            learn: as long as it predicts nearly uniformly, R is nearly 0 and the weight comes
            out far too large. (Decoy digits, 64 epochs, seed 0: a start after 1, 4, 8, 16 epochs
            gives weights of 16,000, 23, 0.05 and 0.0015, and test accuracies of .88, .95, .97 and
            .96.)
        points_per_pass: Bound on the query points of each sample in one pass.
        task: ``"classification"`` or ``"regression"``, which needs a loss that explains the output
            itself, such as ``RightReasonsLoss(output="logit")``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; Adam with rate 1e-3 by default. The
            paper's λ₂ Σ θ² is a ``weight_decay`` of Adam (not AdamW) of 2 λ₂ / N, N the batch size.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range; in training, if masks do not fit the inputs or are
            not made of zeros and ones, or a label is no class.

    Warns:
        UserWarning: At the end of training, if R never acted: nothing was annotated, or
            ``start_epoch`` was not reached.

    Shapes:
        - batch: inputs ``(B, *S)``, target ``(B,)`` and mask ``(B, *S)``, 1 in dimensions that it
          is broadcast over, ``(B, H, W)`` for images, or ``(B, n)`` with a masker; keyword
          arguments have ``B`` rows where they are tensors
        - prediction: see :meth:`predict_step`

    Example:
        >>> from pear_lightning.nn import MLP
        >>> model = RightForTheRightReasons(MLP(4), weight=10.0)
        >>> inputs, target, mask = torch.rand(8, 4), torch.randint(2, (8,)), torch.zeros(8, 4)
        >>> mask[:3, 0] = 1  # for three rows we know that the first feature must not matter
        >>> sorted(model.training_loss(inputs, target, mask))
        ['loss', 'ratio', 'reasons', 'task_loss']

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons: Training Differentiable Models by
        Constraining their Explanations*, IJCAI 2017, arXiv 1703.03717, section 2. Magnitude
        matching automates the advice of the authors' notebook.

    Loading:
        A checkpoint does not hold objects: ``load_from_checkpoint(path, backbone=..., loss=...)``
        takes the backbone again, and the loss and masker where they are not the default. One that
        the command line trained is rebuilt without them.

    Deviations from the paper:
        Both losses are averaged over the batch, which leaves λ as it is; the paper sums them.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *ExplainedModule.not_hyperparameters,
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
        self.loss = RightReasonsLoss() if loss is None else loss
        if not isinstance(self.loss, ExplanationLoss):
            raise TypeError(
                f"loss must be an ExplanationLoss, such as RightReasonsLoss(), got {loss!r}"
            )
        if task == "regression" and self.loss.needs_classes:
            raise ValueError(
                f"{type(self.loss).__name__} needs classes, and task='regression' has none; use a "
                "loss that explains the output itself, such as RightReasonsLoss(output='logit')"
            )
        _ = self.loss.explainers  # made when first asked for: before a checkpoint fills them
        self.loss.task_weight(weight)  # refuses what the objective has no place for
        self.weight = PenaltyWeight(
            weight, start_epoch=start_epoch, match_magnitude=match_magnitude
        )
        if not isinstance(masker, Masker | None):
            raise TypeError(f"masker must be a Masker, such as PatchMasker(4), got {masker!r}")
        self.masker = masker
        self.points_per_pass = points_per_pass

    def on_fit_start(self) -> None:
        """Refuse precisions that explanations cannot be trained in, and fit reference data.

        Raises:
            ValueError: If the trainer's precision is not supported.
        """
        refuse_precision(self.trainer, self.loss)
        fit_references(self, afresh=self.trainer.ckpt_path is None)

    def on_train_start(self) -> None:
        """Begin to watch whether R ever acts."""
        self.weight.restart()

    def on_train_end(self) -> None:
        """Warn if it never did."""
        warn_if_idle(self.weight, type(self.loss).__name__, self.trainer)

    def on_validation_start(self) -> None:
        """Fit reference data that are not known yet, where the data module has them."""
        fit_references(self)

    def on_test_start(self) -> None:
        """Fit reference data that are not known yet, where the data module has them."""
        fit_references(self)

    # --- training ---------------------------------------------------------------------------

    def training_loss(
        self,
        inputs: Tensor,
        target: Tensor,
        mask: Tensor | None = None,
        forward_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """Return ``L = CE + λ R`` and its parts.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.
            mask: 1 marks what must not matter; ``None`` where nothing is annotated.
            forward_kwargs: Further keyword arguments of the backbone.

        Returns:
            ``loss``, ``task_loss`` and, where R was computed, ``reasons`` and ``ratio``.
        """
        kwargs = forward_kwargs or {}
        self._check_target(target)
        epochs = epochs_so_far(self.trainer) if self.weight.start_epoch else 0.0
        weight = self.weight.at(epochs)
        if not weight:
            task_loss = self.task_loss(self.backbone(inputs, **kwargs), target)
            self.weight.begin(task_loss)
            if not self.weight.listens_at(epochs):
                return {"loss": task_loss, "task_loss": task_loss}
            with torch.no_grad():
                reasons = self.reasons(inputs, target, mask, kwargs)[1]
            self.weight.compare(task_loss, reasons, epochs, self.trainer)
            return {"loss": task_loss, "task_loss": task_loss, "reasons": reasons}
        reuse = self.same_in_both_modes(inputs, kwargs)
        logits, reasons = self.reasons(inputs, target, mask, kwargs)
        self.weight.applied(reasons)
        if logits is None or not reuse:
            logits = self.backbone(inputs, **kwargs)
        task_loss = self.task_loss(logits, target)
        answers = self.loss.task_weight(weight) * task_loss
        added = weight * reasons
        ratio = added.detach() / answers.detach()
        loss = answers + added
        return {"loss": loss, "task_loss": task_loss, "reasons": reasons, "ratio": ratio}

    def reasons(
        self,
        inputs: Tensor,
        target: Tensor,
        mask: Tensor | None,
        forward_kwargs: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor | None, Tensor]:
        """Return logits, where they had to be computed for all rows, and R.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.
            mask: Mask, or ``None``.
            forward_kwargs: Further keyword arguments of the backbone; maskers see them too.

        Returns:
            Logits ``(B, C)`` or ``None``, and a scalar.
        """
        return self.loss.of_model(
            self.backbone,
            inputs,
            self.explained_target(target),
            None if mask is None else self.element_mask(inputs, mask, forward_kwargs),
            forward_kwargs=forward_kwargs,
            points_per_pass=self.points_per_pass,
        )

    def element_mask(
        self, inputs: Tensor, mask: Tensor, sample_data: Mapping[str, Any] | None = None
    ) -> Tensor:
        """Return a mask of features as a mask of the elements of the inputs.

        Args:
            inputs: Inputs, ``(B, *S)``.
            mask: ``(B, n)`` with a masker, otherwise returned as it is.
            sample_data: What the masker may want to know of the samples, such as their attention
                mask.

        Returns:
            Mask that :func:`~pear_lightning.losses.masks.aligned_mask` takes.

        Raises:
            ValueError: If there are not as many columns as features, or a value is not 0 or 1.
        """
        if self.masker is None:
            return mask
        bound = self.masker.bind(inputs, sample_data or {})
        if mask.shape != (len(inputs), bound.n_features):
            raise ValueError(
                f"mask must have one column for each of the masker's features, "
                f"({len(inputs)}, {bound.n_features}), got {tuple(mask.shape)}"
            )
        return bound.spread(zeros_and_ones(mask, "mask").float()) > 0

    def training_step(self, batch: AnnotatedBatch, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch, and log its parts.

        Args:
            batch: Inputs ``(B, *S)``, target ``(B,)`` and, where there are any, mask and keyword
                arguments of the backbone.
            batch_idx: Index of the batch in the epoch.

        Returns:
            The loss.
        """
        return self.log_parts(self.training_loss(*parts_of(batch)), len(batch[0]))

    # --- evaluation -------------------------------------------------------------------------

    def validation_step(self, batch: AnnotatedBatch, batch_idx: int) -> None:
        """Log task metrics, R and the entropy of the predictions.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
        """
        self._evaluate("val", batch)

    def test_step(self, batch: AnnotatedBatch, batch_idx: int) -> None:
        """Log task metrics, R and the entropy of the predictions.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
        """
        self._evaluate("test", batch)

    def predict_step(self, batch: AnnotatedBatch | Tensor, batch_idx: int) -> dict[str, Any]:
        """Predict, and explain the prediction as the paper shows it.

        Args:
            batch: Inputs ``(B, *S)``, alone or first in a batch as in training.
            batch_idx: Index of the batch.

        Returns:
            ``logits`` ``(B, C)``, ``prediction`` (the class ``(B,)``, or the value for regression)
            and ``attributions``: the ``gradient`` ``(B, *S)`` of the largest probability (of the
            output itself, for regression).
        """
        if isinstance(batch, Tensor):
            inputs, forward_kwargs = batch, None
        else:  # of a loader without targets, the inputs may be all there is
            inputs = batch[0]
            forward_kwargs = parts_of(batch).forward_kwargs if len(batch) > 1 else None
        classes = self.task == "classification"
        logits, attributions = explain(
            self.backbone,
            inputs,
            torch.zeros(len(inputs), dtype=torch.long, device=inputs.device) if classes else None,
            {"gradient": Gradient()},
            output="max_prob" if classes else "logit",
            forward_kwargs=forward_kwargs,
        )
        prediction = logits.argmax(1) if classes else logits.flatten()
        return {"logits": logits, "prediction": prediction, "attributions": attributions}

    def _evaluate(self, stage: Literal["val", "test"], batch: AnnotatedBatch) -> None:
        inputs, target, mask, forward_kwargs = parts_of(batch)
        self._check_target(target)
        logits, reasons = self.reasons(inputs, target, mask, forward_kwargs)
        if logits is None:
            logits = self.backbone(inputs, **(forward_kwargs or {}))
        self.log_task(stage, inputs, logits, target)
        self.log(f"{stage}_reasons", reasons, batch_size=len(inputs), sync_dist=True)
        if self.task == "classification":
            log_p = torch.log_softmax(at_least_float32(logits), dim=1)
            entropy = -(log_p.exp() * log_p).sum(dim=1).mean()
            self.log(f"{stage}_entropy", entropy, batch_size=len(inputs), sync_dist=True)

    def _check_target(self, target: Tensor) -> None:
        """Refuse labels that are no class, which would stop a GPU without a word of which."""
        if self.task != "classification" or not target.numel() or is_traced():
            return
        low, high = (int(bound) for bound in target.aminmax())
        if low < 0 or high >= self.num_classes:
            raise ValueError(
                f"target must lie in 0..{self.num_classes - 1} (num_classes={self.num_classes}), "
                f"got values from {low} to {high}"
            )
