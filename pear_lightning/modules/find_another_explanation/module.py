"""Find-another-explanation: models right for different reasons, without annotations."""

import math
from typing import Any, ClassVar

import torch
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.functional.entropy import entropy
from pear_lightning.functional.validation import at_least_float32, check_count
from pear_lightning.losses import ExplanationLoss, RightReasonsLoss
from pear_lightning.losses.masks import annotated_rows, element_mask, largest_components
from pear_lightning.modules.find_another_explanation.comparison import (
    disagreement,
    prediction_and_gradient,
)
from pear_lightning.modules.find_another_explanation.fresh_weights import Initializer
from pear_lightning.modules.find_another_explanation.judgement import (
    batches_to_judge,
    judged,
    nothing_judged,
    rows_to_judge,
)
from pear_lightning.modules.find_another_explanation.sequence import ModelSequence
from pear_lightning.modules.right_reasons import adam
from pear_lightning.modules.supervised import SupervisedModule
from pear_lightning.scoring.batch import Batch
from pear_lightning.training.objective import Objective
from pear_lightning.training.precision import refuse_precision


class FindAnotherExplanation(SupervisedModule):
    r"""Train a sequence of models, each penalised for using features that previous models use.

    .. math:: A_0 = 0, \qquad \theta_i = \arg\min_\theta L(\theta; A_i), \qquad
              A_{i+1} = A_i \cup M_c[f_{\theta_i}]

    :math:`M_c` marks the features of a sample whose absolute gradient of the largest probability
    exceeds c times the largest absolute gradient of that sample, and L is the loss of
    :class:`~pear_lightning.modules.RightForTheRightReasons`. If the data have several explanations,
    the models are accurate for different reasons. They can be shown to a domain expert, labels can
    be requested where they disagree, and their number measures the redundancy of the data.

    All models are trained in one ``Trainer.fit``, each for ``epochs_per_model`` epochs, from new
    weights and with a new optimiser, so ``max_epochs`` should be at least ``max_models *
    epochs_per_model``. The sequence ends when the accuracy of a model drops, or when a model is
    similar to a previous model; that model is kept, but is not :attr:`accepted`. The decision about
    each model is reported, with its reason and the argument that sets the limit.

    The mask of a row is a function of the row and of the previous models. It is computed in every
    step instead of being stored, so it does not depend on the order of the rows, the number of
    devices, augmentation, or whether a run was resumed. It takes a forward and a backward pass for
    each previous model. (A stored mask would be the same, because previous models no longer
    change.)

    *Similarity of two models.* The similarity is the Pearson correlation, over the features of a
    sample, of the absolute values of the gradients of both models; its mean over the samples is
    compared with ``max_similarity``. Unrelated gradients have similarity 0. Masks are not compared:
    they hold only the largest components of each sample, so a model that returns to the evidence
    of a previous model may mark other features of that evidence.

    The module logs the task metrics of the model in training and, when a model is complete,
    ``model_accuracy`` and ``model_similarity`` (with the most similar previous model), computed on
    the validation rows, or on the training rows if there are no validation rows. They are those of
    the model after its last step: if the last validation of its last epoch was earlier, or left
    out, the validation rows are evaluated once more. A test logs the
    metrics of the ensemble, the accuracy of each model and the mean ``disagreement``.

    *Predictions* are those of the ensemble, the mean of the probabilities of all accepted models. A
    model that relies on a strong confound is the most confident one and dominates this mean: on
    rows without the confound, the ensemble is hardly better than that model alone. Once the
    explanations or a few clean rows have shown which model to trust, set :attr:`predictor` to its
    number, also after training; the disagreement of all models is still reported. The report at the
    end of the sequence says whose predictions they are, and for which share of the rows the models
    differ.

    Args:
        backbone: Any module that maps inputs ``(B, *S)`` to logits ``(B, C)``; the first model.
        weight: λ, at least 0, or a list with one value per model (the last value also applies to
            all further models). Its effect depends on the scale of the inputs, see
            :class:`~pear_lightning.losses.RightReasonsLoss`.
        loss: Loss of the masks; ``None`` is :class:`~pear_lightning.losses.RightReasonsLoss`.
        max_models: Largest number of models.
        epochs_per_model: Epochs of training of each model.
        cutoff: c in [0, 1).
        max_accuracy_drop: A model is not accepted if its accuracy is lower than that of the first
            model by more than this, a share of the rows. ``None``: by more than half of what the
            first model gains over always predicting the most frequent class. Training and
            validation rows usually have the same confound, on which a model that does not use it
            is less accurate, and rightly so: a small number such as .05 accepts only models that
            are as good on confounded rows.
        max_similarity: A model is not accepted if its similarity with a previous model exceeds
            this: it has not found another explanation, and a larger weight, or more epochs, may
            help. 1 accepts any model. (ToyColors: .39 to .49 for models of the same rule, at most
            .18 for models of different rules.) The similarity of models that differ only in their
            seed depends on the data: .64 to .75 on decoy digits, .23 to .37 on Iris-Cancer. A run
            with a weight of 0 measures it.
        initialize: Draws new weights for a module, in place, for the models after the first.
            ``None`` calls ``reset_parameters`` of every layer.
        predictor: Number of the accepted model that predicts, from 1; ``None`` is the ensemble of
            all of them.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser; Adam with rate 1e-3 by default.
        lr_scheduler: Callable from the optimiser to a scheduler, which restarts for each model.

    Raises:
        TypeError: If the loss is not an explanation loss; when called, if inputs are integers.
        ValueError: If a value is out of range, or new weights cannot be drawn; when training
            starts, if a callback averages weights; when predicting, if there is no accepted model
            with the number ``predictor``.

    Shapes:
        - batch: inputs ``(B, *S)`` (for texts, embeddings from one fixed table instead of token
          ids), target ``(B,)``, optionally a mask of features that no model must use, and keyword
          arguments of the backbone
        - prediction: see :meth:`predict_step`

    Example:
        >>> from lightning.pytorch import Trainer, seed_everything
        >>> from pear_lightning.datamodules import IrisCancer
        >>> from pear_lightning.nn import MLP
        >>> _ = seed_everything(0, verbose=False)
        >>> model = FindAnotherExplanation(MLP(34), 1000.0, max_models=2, epochs_per_model=10)
        >>> trainer = Trainer(max_epochs=20, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, IrisCancer(n_annotated=0))
        >>> len(model.trained)
        2

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons: Training Differentiable Models by
        Constraining their Explanations*, IJCAI 2017, arXiv 1703.03717, "find-another-explanation".

    Deviations from the paper:
        A stopping rule ends the sequence. Masks are computed from the gradient of the log-odds of
        the predicted class; it is proportional, per sample, to the gradient of the largest
        probability, and does not vanish if the probability is 1.
    """

    not_hyperparameters: ClassVar[tuple[str, ...]] = (
        *SupervisedModule.not_hyperparameters,
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
        max_accuracy_drop: float | None = None,
        max_similarity: float = 0.35,
        initialize: Initializer | None = None,
        predictor: int | None = None,
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
                f"weight must be at least 0 and finite, or a list of such numbers, got {weight}"
            )
        if not 0 <= cutoff < 1:
            raise ValueError(f"cutoff must lie in [0, 1), got {cutoff}")
        loss = RightReasonsLoss() if loss is None else loss
        self.objective = Objective(loss, weights[0])
        if not loss.needs_mask:
            raise ValueError(f"loss must use masks, as RightReasonsLoss() does, got {loss!r}")
        for each in weights:
            loss.task_weight(each)  # raises for an invalid weight
        if isinstance(loss, RightReasonsLoss):
            loss.warns_of_full_masks = False  # a full mask is a valid result here
        self.weights = weights
        self.cutoff = cutoff
        if predictor is not None:
            check_count("predictor", predictor)
        self.predictor = predictor
        self.sequence = ModelSequence(
            backbone,
            max_models=max_models,
            epochs_per_model=epochs_per_model,
            max_accuracy_drop=max_accuracy_drop,
            max_similarity=max_similarity,
            initialize=initialize,
        )
        # over the rows of the last validation in the last epoch of a model, and its step
        self._sums: Tensor | None = None
        self._sums_at = -1

    # --- batches ------------------------------------------------------------------------------

    def batch_of(self, batch: Any, *, labelled: bool = True) -> Batch:
        """Read a batch, whose inputs must be floating point.

        Args:
            batch: A batch in any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>`
                reads.
            labelled: Whether the batch must have a target.

        Raises:
            TypeError: If the batch has another form, or the inputs are integers, such as token ids.
            ValueError: If the batch has no target, or a label is not a class.
        """
        read = Batch.of(batch)
        if not read.inputs.is_floating_point():
            raise TypeError(
                "inputs must be floating point for FindAnotherExplanation, got "
                f"{read.inputs.dtype}; the features that models must not share are components of "
                "the inputs, and every model of the sequence would embed token ids with a table of "
                "its own: embed the texts once, with one fixed table, and give the embeddings"
            )
        return super().batch_of(read, labelled=labelled)

    # --- the models ---------------------------------------------------------------------------

    @property
    def loss(self) -> ExplanationLoss:
        """Loss of the masks, R."""
        return self.objective.loss

    @property
    def trained(self) -> list[nn.Module]:
        """All models whose training is complete, in order."""
        return self.sequence.trained

    @property
    def accepted(self) -> list[nn.Module]:
        """Trained models accepted as new explanations; the first model is always accepted.

        While the first model is in training, the list holds only this model.
        """
        return self.sequence.accepted or [self.backbone]

    @property
    def accuracies(self) -> list[float]:
        """Accuracy of each trained model."""
        return self.sequence.accuracies

    @property
    def similarities(self) -> list[list[float]]:
        """Similarity of each trained model with the previous models."""
        return self.sequence.similarities

    @property
    def stop_reason(self) -> str | None:
        """Reason why the last trained model was not accepted; ``None`` if it was."""
        return self.sequence.stop_reason

    def explanation(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the features that a model uses: those with the largest gradients.

        Args:
            model: One of the models.
            batch: A batch in any form that :meth:`batch_of` reads; the target is not used.

        Returns:
            Mask, ``(B, *S)`` bool.
        """
        return largest_components(self.gradient(model, batch), self.cutoff)

    def gradient(self, model: nn.Module, batch: Any) -> Tensor:
        """Return the gradient that decides which features a model uses.

        Args:
            model: One of the models.
            batch: A batch in any form that :meth:`batch_of` reads; the target is not used.

        Returns:
            Gradient of the log-odds of the predicted class, ``(B, *S)``; proportional, per sample,
            to the gradient of its probability.
        """
        return prediction_and_gradient(model, self.batch_of(batch, labelled=False))[1]

    def forbidden(self, batch: Any) -> Tensor:
        """Return the features that the model in training must not use: A_i of these rows.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.

        Returns:
            Mask, ``(B, *S)`` bool.
        """
        batch = self.batch_of(batch, labelled=False)
        forbidden = torch.zeros_like(batch.inputs, dtype=torch.bool)
        annotated = element_mask(batch, self.loss.mask_features)
        if annotated is not None:
            forbidden |= annotated
        for model in self.sequence.before:
            forbidden |= self.explanation(model, batch)
        return forbidden

    @property
    def scheduled_epochs(self) -> int:
        """Number of epochs of a scheduler; those of one model."""
        return self.sequence.epochs_per_model

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser of the model in training."""
        return self._optimizer(self.backbone.parameters())

    # --- training -----------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Raise for unsupported precisions and callbacks, and warn of too few epochs.

        Raises:
            ValueError: If the trainer's precision is not supported, or a callback averages
                weights.
        """
        super().on_fit_start()
        refuse_precision(self.trainer, self.loss)
        for callback in getattr(self.trainer, "callbacks", []):
            if isinstance(callback, StochasticWeightAveraging | WeightAveraging):
                raise ValueError(
                    "callbacks must not average weights, because several models are trained one "
                    f"after another, got {type(callback).__name__}; leave it out"
                )
        if self.sequence.is_complete:
            rank_zero_warn(
                "all models of this FindAnotherExplanation are trained: there is nothing to do"
            )
        if self._too_few_epochs:
            sequence = self.sequence
            rank_zero_warn(
                f"max_epochs={self.trainer.max_epochs} ends before the {sequence.max_models} "
                f"models of epochs_per_model={sequence.epochs_per_model} are trained; "
                f"{sequence.n_epochs} epochs are enough"
            )

    @property
    def _too_few_epochs(self) -> bool:
        epochs = self.trainer.max_epochs
        return epochs is not None and 0 <= epochs < self.sequence.n_epochs

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return ``L = CE + λ R(A_i)`` and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads; a mask marks features that no
                model must use.

        Returns:
            ``loss``, ``task_loss`` and, if any feature is forbidden, ``reasons`` and ``ratio``.
        """
        batch = self.batch_of(batch)
        forbidden = self.forbidden(batch)
        marks = bool(annotated_rows(forbidden).any())
        weight = self.weights[min(self.sequence.round, len(self.weights) - 1)]
        self.objective.schedule.weight = weight if marks else 0.0
        return self.terms(self.objective, batch.with_elements_marked(forbidden)).named("reasons")

    def on_train_epoch_start(self) -> None:
        """Start the next model if the current one is complete."""
        if self.sequence.is_last_epoch(self.current_epoch - 1) and not self.sequence.finished:
            self._finish()  # resumed from a checkpoint written before the model was completed
        if self.sequence.is_complete:
            self.trainer.should_stop = True
        elif self.sequence.finished:
            self._begin_next()
        self._sums = None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        """Skip the epoch if all models are trained.

        Args:
            batch: Not used.
            batch_idx: Not used.

        Returns:
            -1 to skip the epoch.
        """
        return -1 if self.sequence.is_complete else None

    def on_train_epoch_end(self) -> None:
        """Complete a model after its last epoch."""
        if self._is_last_epoch and not self.sequence.finished:
            self._finish()
        if self.sequence.is_complete:
            self.trainer.should_stop = True

    def on_fit_end(self) -> None:
        """Warn if training ended before the sequence was complete."""
        trainer: Any = self.trainer
        sequence = self.sequence
        if not (sequence.is_complete or self._too_few_epochs or trainer.fast_dev_run):
            rank_zero_warn(
                f"training ended while model {sequence.round + 1} of {sequence.max_models} was "
                f"trained: {len(self.trained)} are complete. It was not ended by the module but, "
                "for example, by EarlyStopping or max_steps; remove these, or resume from a "
                "checkpoint"
            )

    @property
    def _is_last_epoch(self) -> bool:
        """Whether the model in training is in its last epoch."""
        return self.sequence.is_last_epoch(self.current_epoch)

    def _finish(self) -> None:
        """Complete the model in training, and decide whether the sequence ends."""
        is_final = self._sums is not None and self._sums_at == self.global_step
        sums = self._sums if is_final else self._sums_after_training()
        assert sums is not None
        rows, *totals = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        accuracy, differ_before, differ, *shares = (each / max(rows, 1.0) for each in totals)
        of_classes, similarities = shares[: self.num_classes], shares[self.num_classes :]
        self.log("model_accuracy", accuracy, sync_dist=True)
        if similarities:
            self.log("model_similarity", max(similarities), sync_dist=True)
        sequence = self.sequence
        sequence.finish(self.backbone.state_dict(), accuracy, similarities, max(of_classes))
        sequence.stop_reason = self.refusal(sequence.round)
        sequence.report(
            predictor=self.predictor,
            disagreement=differ if sequence.stop_reason is None else differ_before,
            rows=rows_to_judge(self.trainer),
        )

    def refusal(self, number: int) -> str | None:
        """Return the reason why a trained model is not accepted, which ends the sequence.

        Args:
            number: Number of the model, from 0.

        Returns:
            The reason as a sentence; ``None`` if the model is accepted.
        """
        return self.sequence.refusal(number)

    def _begin_next(self) -> None:
        """Continue with new weights and reset optimiser and scheduler."""
        self.backbone.load_state_dict(self.sequence.begin_next().state_dict())
        optimizer = self.make_optimizer()
        schedulers: Any = self.lr_schedulers()
        if self._lr_scheduler is not None:
            scheduler: Any = self._lr_scheduler(optimizer)
            schedulers.load_state_dict(scheduler.state_dict())
        running: Any = self.optimizers(use_pl_optimizer=False)
        running.load_state_dict(optimizer.state_dict())

    def _judge(self, batch: Batch) -> Tensor:
        return judged(self.backbone, self.sequence.before, batch, self.num_classes)

    def _nothing_judged(self) -> Tensor:
        return nothing_judged(len(self.sequence.before), self.num_classes, self.device)

    def _sums_after_training(self) -> Tensor:
        """Evaluate the model after its last step; during an epoch it changes."""
        total = self._nothing_judged()
        with self.trainer.precision_plugin.forward_context():
            for batch in batches_to_judge(self.trainer):
                total += self._judge(self.batch_of(batch))
        return total

    # --- evaluation ---------------------------------------------------------------------------

    @property
    def _judges(self) -> bool:
        """Whether a validation judges the model in training."""
        fits = self.trainer.state.fn == "fit" and not self.trainer.sanity_checking
        return fits and self._is_last_epoch

    def on_validation_start(self) -> None:
        """Forget an earlier validation of the epoch, in which the model had other weights."""
        super().on_validation_start()
        if self._judges:
            self._sums, self._sums_at = self._nothing_judged(), self.global_step

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the task metrics of the model in training.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        self.log_task("val", batch, self.run_backbone(batch), dataloader_idx)
        if self._sums is not None and self._judges:
            self._sums += self._judge(batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Log the metrics of the predictions, the accuracy of each model, and their disagreement.

        Args:
            batch: As in training.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.
        """
        batch = self.batch_of(batch)
        logits = self._logits_of_models(batch)
        combined = self._combined(F.log_softmax(at_least_float32(logits), dim=2))
        self.log_task("test", batch, combined, dataloader_idx)
        right = (logits.argmax(dim=2) == batch.labels[:, None]).float().mean(dim=0)
        values = {f"test_accuracy_of_model_{i}": each for i, each in enumerate(right, start=1)}
        values["test_disagreement"] = disagreement(logits).mean()
        self.log_dict(values, batch_size=len(batch), sync_dist=True)

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Any]:
        """Return predictions of all accepted models, and of their ensemble or the chosen one.

        Args:
            batch: As in training; only inputs and keyword arguments are used.
            batch_idx: Index of the batch.
            dataloader_idx: Index of the data loader.

        Returns:
            ``logits`` ``(B, M, C)`` of M models; ``prediction`` ``(B,)`` and ``probabilities``
            ``(B, C)`` of the ensemble, whose probabilities are the mean over the models, or of the
            model with the number :attr:`predictor`; ``disagreement`` ``(B,)``, the share of pairs
            of models that predict different classes;
            ``mutual_information`` ``(B,)``, the entropy of the ensemble minus the mean entropy of
            its models, in nats; and ``explanations`` ``(B, M, *S)``, the features that each model
            uses.
        """
        batch = self.batch_of(batch, labelled=False)
        logits = self._logits_of_models(batch)
        log_each = F.log_softmax(at_least_float32(logits), dim=2)
        each = log_each.exp()
        mean = each.mean(dim=1)
        probabilities = self._combined(log_each).exp()
        explanations = [self.explanation(model, batch) for model in self.accepted]
        return {
            "logits": logits,
            "prediction": probabilities.argmax(dim=1),
            "probabilities": probabilities,
            "disagreement": disagreement(logits),
            "mutual_information": entropy(mean) - entropy(each).mean(dim=1),
            "explanations": torch.stack(explanations, dim=1),
        }

    def _combined(self, log_each: Tensor) -> Tensor:
        """Return the log-probabilities ``(B, C)`` that predict, from those of all M models.

        Logarithms of the mean of probabilities that are 0 in float32 are finite.

        Args:
            log_each: Log-probabilities ``(B, M, C)``.
        """
        n_models = log_each.shape[1]
        if self.predictor is None:
            return log_each.logsumexp(dim=1) - math.log(n_models)
        if not 1 <= self.predictor <= n_models:
            raise ValueError(
                f"predictor must be the number of one of the {n_models} accepted models, from 1, "
                f"got {self.predictor}"
            )
        return log_each[:, self.predictor - 1]

    def _logits_of_models(self, batch: Batch) -> Tensor:
        """Return the logits of the accepted models, ``(B, M, C)``."""
        logits = [model(batch.inputs, **batch.forward_kwargs) for model in self.accepted]
        return torch.stack(logits, dim=1)
