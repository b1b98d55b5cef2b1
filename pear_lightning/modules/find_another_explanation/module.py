"""Find another explanation: models that are right for different reasons, without annotations."""

import math
from typing import Any, ClassVar

import torch
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor, nn

from pear_lightning.functional.validation import at_least_float32
from pear_lightning.losses import ExplanationLoss, RightReasonsLoss
from pear_lightning.losses.masks import aligned_mask, annotated_rows, largest_components
from pear_lightning.modules.annotated_batch import AnnotatedBatch, masked_parts_of
from pear_lightning.modules.base import ExplainedModule
from pear_lightning.modules.find_another_explanation.comparison import (
    disagreement,
    entropy,
    prediction_and_gradient,
    similarity,
)
from pear_lightning.modules.find_another_explanation.fresh_weights import Initializer, fresh_copy
from pear_lightning.modules.right_reasons import adam
from pear_lightning.training.precision import refuse_precision


class FindAnotherExplanation(ExplainedModule):
    r"""Train a sequence of models, each forbidden to use what those before it looked at.

    .. math:: A_0 = 0, \qquad \theta_i = \arg\min_\theta L(\theta; A_i), \qquad
              A_{i+1} = A_i \cup M_c[f_{\theta_i}]

    :math:`M_c` marks the features of a sample whose absolute gradient of the largest probability
    exceeds c times the largest one of that sample, and L is the loss of
    :class:`~pear_lightning.modules.RightForTheRightReasons`. Where data have several explanations,
    the models are accurate for different reasons: show them to somebody who knows, ask for labels
    where they disagree, read their number as the redundancy of the data.

    All models are trained in one ``Trainer.fit``, ``epochs_per_model`` epochs each, from fresh
    weights and with a fresh optimiser, so ``max_epochs`` should be at least ``max_models *
    epochs_per_model``. The sequence ends by itself when a model's accuracy drops, or it looks where
    a model before it did; that model is kept, but is not :attr:`accepted`.

    The mask of a row is a function of the row and of the models before: it is computed from them
    in every step instead of being stored. So it does not matter in which order rows come, on how
    many devices, whether they are augmented, or whether a run was resumed. It costs a forward and
    a backward pass for each model before. (A stored mask would be the same: the models before
    do not change any more.)

    *When two models look at the same.* Their similarity is the Pearson correlation, over the
    features of a sample, of the absolute values of their gradients; its mean over the samples is
    compared with ``max_similarity``. 0 is that of gradients that have nothing to do with each
    other. Masks do not tell: they hold the largest components of each sample, so a model that
    returns to the evidence of an earlier one may mark others of its features.

    Logged are the task metrics of the model in training, and when it is done ``model_accuracy``
    and ``model_similarity`` (with the model before that is most like it), of validation rows where
    there are any, else of training rows. A test logs the metrics of the ensemble, the accuracy of
    each model and the mean ``disagreement``.

    Args:
        backbone: Any module: inputs ``(B, *S)`` to logits ``(B, C)``; the first model.
        weight: λ, at least 0, or one for each model (the last one for all that follow). What it
            means depends on the scale of the inputs, see
            :class:`~pear_lightning.losses.RightReasonsLoss`.
        loss: Loss of the masks; ``None`` is :class:`~pear_lightning.losses.RightReasonsLoss`.
        max_models: Number of models at most.
        epochs_per_model: Epochs of training of each model.
        cutoff: c in [0, 1).
        max_accuracy_drop: A model is not accepted if its accuracy lies more than this below the
            first one's.
        max_similarity: Nor if its similarity with a model before it exceeds this; then it has not
            found another explanation, and a larger weight may help. 1 accepts any. (ToyColors:
            .39 to .49 for models of the same rule, at most .18 for models of different ones.) It
            depends on the data what models have in common that differ in their seed alone: .64 to
            .75 on decoy digits, .23 to .37 on Iris-Cancer. A run with a weight of 0 tells.
        initialize: Draws the weights of a module anew, in place, for the models after the first.
            ``None`` calls ``reset_parameters`` of every layer.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; Adam with rate 1e-3 by default.
        lr_scheduler: Callable from the optimiser to a scheduler, which begins anew with each model.

    Raises:
        TypeError: If the loss is no explanation loss.
        ValueError: If a value is out of range, or weights cannot be drawn anew; when training
            starts, if a callback averages weights.

    Shapes:
        - batch: inputs ``(B, *S)``, target ``(B,)``, and optionally a mask of what the first model
          must not use either
        - prediction: see :meth:`predict_step`

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import IrisCancer
        >>> from pear_lightning.nn import MLP
        >>> model = FindAnotherExplanation(MLP(34), 1000.0, max_models=2, epochs_per_model=3)
        >>> trainer = Trainer(max_epochs=6, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, IrisCancer(n_annotated=0))
        >>> len(model.trained)
        2

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons: Training Differentiable Models by
        Constraining their Explanations*, IJCAI 2017, arXiv 1703.03717, "find-another-explanation".

    Deviations from the paper:
        An automatic rule ends the sequence. Masks are made of the gradient of the log-odds of the
        predicted class; it is that of the largest probability but for a factor of each sample, and
        does not vanish where the probability is 1.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *ExplainedModule.not_hyperparameters,
        "loss",
        "initialize",
    )

    def __init__(
        self,
        backbone: nn.Module,
        weight: float | list[float] = 1.0,
        loss: ExplanationLoss | None = None,
        *,
        max_models: int = 5,
        epochs_per_model: int = 10,
        cutoff: float = 0.67,
        max_accuracy_drop: float = 0.05,
        max_similarity: float = 0.35,
        initialize: Initializer | None = None,
        num_classes: int = 2,
        optimizer: OptimizerCallable = adam,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        super().__init__(
            backbone, num_classes=num_classes, optimizer=optimizer, lr_scheduler=lr_scheduler
        )
        weights = [float(w) for w in (weight if isinstance(weight, list | tuple) else [weight])]
        if not weights or not all(each >= 0 and math.isfinite(each) for each in weights):
            raise ValueError(
                f"weight must be at least 0 and finite, or a list of such, got {weight}"
            )
        for name, count in {"max_models": max_models, "epochs_per_model": epochs_per_model}.items():
            if count < 1 or count != int(count):
                raise ValueError(f"{name} must be a whole number of at least 1, got {count}")
        shares = {"max_accuracy_drop": max_accuracy_drop, "max_similarity": max_similarity}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {share}")
        if not 0 <= cutoff < 1:
            raise ValueError(f"cutoff must lie in [0, 1), got {cutoff}")
        self.loss = RightReasonsLoss() if loss is None else loss
        if not isinstance(self.loss, ExplanationLoss):
            raise TypeError(
                f"loss must be an ExplanationLoss, such as RightReasonsLoss(), got {loss!r}"
            )
        if not self.loss.needs_mask:
            raise ValueError(
                f"loss must be one of masks, such as RightReasonsLoss(), got {self.loss!r}"
            )
        if isinstance(self.loss, RightReasonsLoss):
            self.loss.warns_of_full_masks = False  # nothing left to look at is an answer here
        self.weights = weights
        self.max_models = max_models
        self.epochs_per_model = epochs_per_model
        self.cutoff = cutoff
        self.max_accuracy_drop = max_accuracy_drop
        self.max_similarity = max_similarity
        # Trained models, and the first weights of those to come: so all ranks have the same.
        self.models = nn.ModuleList(fresh_copy(backbone, initialize) for _ in range(max_models))
        self.models.requires_grad_(False)
        self.models[0].load_state_dict(backbone.state_dict())
        self.round = 0
        self.finished = False
        self.accuracies: list[float] = []
        self.similarities: list[list[float]] = []
        self.stop_reason: str | None = None
        self._sums: Tensor | None = None  # of validation rows, in the last epoch of a model

    # --- the models ---------------------------------------------------------------------------

    @property
    def trained(self) -> list[nn.Module]:
        """All models whose training is complete, in order."""
        return list(self.models)[: self.round + self.finished]

    @property
    def accepted(self) -> list[nn.Module]:
        """Those of them that are accurate for reasons of their own; the first one always is.

        While the first model is still in training, it is what there is.
        """
        refused = self.stop_reason is not None and len(self.trained) > 1
        models = self.trained[:-1] if refused else self.trained
        return models or [self.backbone]

    def get_extra_state(self) -> dict[str, Any]:
        """Return what a checkpoint holds beside the weights, as plain values."""
        return {
            "round": self.round,
            "finished": self.finished,
            "accuracies": self.accuracies,
            "similarities": self.similarities,
            "stop_reason": self.stop_reason,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint.

        Args:
            state: What :meth:`get_extra_state` returned.
        """
        self.round, self.finished = int(state["round"]), bool(state["finished"])
        self.accuracies = list(state["accuracies"])
        self.similarities = [list(each) for each in state["similarities"]]
        self.stop_reason = state["stop_reason"]

    def explanation(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Return where a model looks: the features with the largest gradients.

        Args:
            model: One of the models.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Mask, ``(B, *S)`` bool.
        """
        return largest_components(self.gradient(model, inputs), self.cutoff)

    def gradient(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Return the gradient that says where a model looks.

        Args:
            model: One of the models.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Gradient of the log-odds of the predicted class, ``(B, *S)``: that of its probability,
            but for a factor of each sample.
        """
        return prediction_and_gradient(model, inputs)[1]

    def forbidden(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the model in training must not use: A_i of these rows.

        Args:
            inputs: Inputs, ``(B, *S)``.
            mask: Annotations, where there are any.

        Returns:
            Mask, ``(B, *S)`` bool.
        """
        forbidden = torch.zeros_like(inputs, dtype=torch.bool)
        if mask is not None:
            forbidden |= aligned_mask(mask, inputs)
        for model in list(self.models)[: self.round]:
            forbidden |= self.explanation(model, inputs)
        return forbidden

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser of the model in training.

        Returns:
            The optimiser.
        """
        return self._optimizer(self.backbone.parameters())

    # --- training -----------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Refuse what the sequence cannot be trained with, and warn of too few epochs.

        Raises:
            ValueError: If the trainer's precision is not supported, or a callback averages
                weights.
        """
        refuse_precision(self.trainer, self.loss)
        for callback in getattr(self.trainer, "callbacks", []):
            if isinstance(callback, StochasticWeightAveraging | WeightAveraging):
                raise ValueError(
                    f"{type(callback).__name__} averages weights over training, and here several "
                    "models are trained one after the other: leave the callback out"
                )
        if self._is_complete:
            rank_zero_warn(
                "all models of this FindAnotherExplanation are trained: there is nothing to do"
            )
        if self._too_few_epochs:
            rank_zero_warn(
                f"max_epochs={self.trainer.max_epochs} ends before the {self.max_models} models of "
                f"epochs_per_model={self.epochs_per_model} are trained; "
                f"{self.max_models * self.epochs_per_model} epochs are enough"
            )

    @property
    def _too_few_epochs(self) -> bool:
        epochs = self.trainer.max_epochs
        return epochs is not None and 0 <= epochs < self.max_models * self.epochs_per_model

    def training_loss(
        self, inputs: Tensor, target: Tensor, mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return ``L = CE + λ R(A_i)`` and its parts.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.
            mask: What must not matter for any model; ``None`` for nothing.

        Returns:
            ``loss``, ``task_loss`` and, where something is forbidden, ``reasons``.
        """
        forbidden = self.forbidden(inputs, mask)
        weight = self.weights[min(self.round, len(self.weights) - 1)]
        logits: Tensor | None = None
        parts: dict[str, Tensor] = {}
        if weight and bool(annotated_rows(forbidden).any()):
            reuse = self.same_in_both_modes(inputs)
            logits, parts["reasons"] = self.loss.of_model(self.backbone, inputs, target, forbidden)
        if logits is None or not reuse:
            logits = self.backbone(inputs)
        task_loss = self.task_loss(logits, target)
        loss = task_loss
        if parts:
            loss = self.loss.task_weight(weight) * task_loss + weight * parts["reasons"]
        return {"loss": loss, "task_loss": task_loss, **parts}

    def training_step(self, batch: AnnotatedBatch, batch_idx: int) -> Tensor:
        """Compute the loss of a training batch, and log its parts.

        Args:
            batch: Inputs ``(B, *S)``, target ``(B,)`` and, where there are annotations, mask.
            batch_idx: Index of the batch in the epoch.

        Returns:
            The loss.
        """
        return self.log_parts(self.training_loss(*masked_parts_of(batch)), len(batch[0]))

    def on_train_epoch_start(self) -> None:
        """Begin with the next model, where one is done."""
        if self.current_epoch >= (self.round + 1) * self.epochs_per_model and not self.finished:
            self._finish()  # resumed from a checkpoint that was written before it was
        if self._is_complete:
            self.trainer.should_stop = True
        elif self.finished:
            self._begin_next()
        self._sums = None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        """Leave the epoch where there is nothing left to train.

        Args:
            batch: Not used.
            batch_idx: Not used.

        Returns:
            -1 to leave it.
        """
        return -1 if self._is_complete else None

    def on_train_epoch_end(self) -> None:
        """Complete a model after its last epoch."""
        if self._is_last_epoch and not self.finished:
            self._finish()
        if self._is_complete:
            self.trainer.should_stop = True

    def on_fit_end(self) -> None:
        """Say so where something else ended training before the sequence was complete."""
        trainer: Any = self.trainer
        if not (self._is_complete or self._too_few_epochs or trainer.fast_dev_run):
            rank_zero_warn(
                f"training ended while model {self.round + 1} of {self.max_models} was trained: "
                f"{len(self.trained)} are complete. Something else than the module ended it, such "
                "as EarlyStopping or max_steps: leave that out, or resume from a checkpoint"
            )

    @property
    def _is_complete(self) -> bool:
        """Whether all models are trained, or a rule ended the sequence."""
        last = self.finished and self.round + 1 == self.max_models
        return last or self.stop_reason is not None

    @property
    def _is_last_epoch(self) -> bool:
        """Whether the model in training is in its last epoch."""
        return self.current_epoch + 1 >= (self.round + 1) * self.epochs_per_model

    def _finish(self) -> None:
        """Keep the model in training, and decide whether it was the last one."""
        self.models[self.round].load_state_dict(self.backbone.state_dict())
        self.finished = True
        sums = self._sums_of_training_rows() if self._sums is None else self._sums
        rows, *totals = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        accuracy, *similarities = (each / max(rows, 1.0) for each in totals)
        self.log("model_accuracy", accuracy)
        if similarities:
            self.log("model_similarity", max(similarities))
        self.accuracies.append(accuracy)
        self.similarities.append(similarities)
        self.stop_reason = self.refusal(self.round)
        if self.stop_reason is not None:
            rank_zero_info(f"FindAnotherExplanation ends: {self.stop_reason}")

    def refusal(self, number: int) -> str | None:
        """Say why a model is not accepted, which ends the sequence.

        Args:
            number: Number of a trained model, from 0.

        Returns:
            A sentence, or ``None`` for a model that is accepted.
        """
        name, accuracy, first = f"model {number + 1}", self.accuracies[number], self.accuracies[0]
        if accuracy < first - self.max_accuracy_drop:
            return f"accuracy of {name} dropped to {accuracy:.3f}, from {first:.3f} of the first"
        for other, value in enumerate(self.similarities[number], start=1):
            if value > self.max_similarity:
                return (
                    f"{name} looks where model {other} did: their similarity is {value:.2f}; "
                    "a larger weight may help"
                )
        return None

    def _begin_next(self) -> None:
        """Train from fresh weights, with a fresh optimiser and scheduler."""
        self.round, self.finished = self.round + 1, False
        self.backbone.load_state_dict(self.models[self.round].state_dict())
        optimizer = self.make_optimizer()
        schedulers: Any = self.lr_schedulers()
        if self._lr_scheduler is not None:
            schedulers.load_state_dict(self._lr_scheduler(optimizer).state_dict())
        running: Any = self.optimizers(use_pl_optimizer=False)
        running.load_state_dict(optimizer.state_dict())

    def _judge(self, inputs: Tensor, target: Tensor) -> Tensor:
        """Sum up how often the model in training is right, and how similar it is to the others.

        Args:
            inputs: Inputs, ``(B, *S)``.
            target: Target, ``(B,)``.

        Returns:
            Number of rows, of right ones, and sum of the similarity with each model before.
        """
        predicted, own = prediction_and_gradient(self.backbone, inputs)
        others = [self.gradient(model, inputs) for model in list(self.models)[: self.round]]
        right = (predicted == target).sum().double()
        similar = [similarity(own, other).sum().double() for other in others]
        return torch.stack([torch.full_like(right, len(inputs)), right, *similar])

    def _sums_of_training_rows(self) -> Tensor:
        """Judge the model on the training data, where there are none for validation.

        After its last step and not on the way: of few batches, the steps of an epoch matter.
        """
        trainer: Any = self.trainer
        total = torch.zeros(2 + self.round, dtype=torch.float64, device=self.device)
        limit = trainer.num_training_batches
        for number, batch in enumerate(trainer.train_dataloader):
            if number >= limit:
                break
            batch = trainer.precision_plugin.convert_input(batch)
            inputs, target, _ = masked_parts_of(trainer.strategy.batch_to_device(batch))
            total += self._judge(inputs, target)
        return total

    # --- evaluation ---------------------------------------------------------------------------

    def validation_step(self, batch: AnnotatedBatch, batch_idx: int) -> None:
        """Log the task metrics of the model in training.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
        """
        inputs, target, _ = masked_parts_of(batch)
        logits = self.backbone(inputs)
        self.log_task("val", inputs, logits, target)
        training = self.trainer.state.fn == "fit" and not self.trainer.sanity_checking
        if training and self._is_last_epoch:
            sums = self._judge(inputs, target)
            self._sums = sums if self._sums is None else self._sums + sums

    def test_step(self, batch: AnnotatedBatch, batch_idx: int) -> None:
        """Log the metrics of the ensemble, of each accepted model, and their disagreement.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
        """
        inputs, target, _ = masked_parts_of(batch)
        logits = torch.stack([model(inputs) for model in self.accepted], dim=1)
        probabilities = torch.softmax(at_least_float32(logits), dim=2).mean(dim=1)
        self.log_task("test", inputs, probabilities.log(), target)
        right = (logits.argmax(dim=2) == target[:, None]).float().mean(dim=0)
        values = {f"test_accuracy_of_model_{i}": each for i, each in enumerate(right, start=1)}
        values["test_disagreement"] = disagreement(logits).mean()
        self.log_dict(values, batch_size=len(inputs), sync_dist=True)

    def predict_step(self, batch: AnnotatedBatch | Tensor, batch_idx: int) -> dict[str, Any]:
        """Predict with every accepted model and with their ensemble.

        Args:
            batch: Inputs ``(B, *S)``, alone or first in a batch as in training.
            batch_idx: Index of the batch.

        Returns:
            ``logits`` ``(B, M, C)`` of M models; ``prediction`` ``(B,)`` and ``probabilities``
            ``(B, C)`` of the ensemble, the mean of their probabilities; ``disagreement`` ``(B,)``,
            the share of pairs of models that predict different classes; ``mutual_information``
            ``(B,)``, the entropy of the ensemble less the mean entropy of its models, in nats;
            and ``explanations`` ``(B, M, *S)``, where each model looks.
        """
        inputs = batch if isinstance(batch, Tensor) else batch[0]
        logits = torch.stack([model(inputs) for model in self.accepted], dim=1)
        each = torch.softmax(at_least_float32(logits), dim=2)
        probabilities = each.mean(dim=1)
        explanations = [self.explanation(model, inputs) for model in self.accepted]
        return {
            "logits": logits,
            "prediction": probabilities.argmax(dim=1),
            "probabilities": probabilities,
            "disagreement": disagreement(logits),
            "mutual_information": entropy(probabilities) - entropy(each).mean(dim=1),
            "explanations": torch.stack(explanations, dim=1),
        }
