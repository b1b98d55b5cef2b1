"""The training objective: the weighted sum of task loss and explanation loss."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from pear_lightning.functional.validation import check_count, check_share_or_count
from pear_lightning.losses import AttributionLoss, ExplanationLoss
from pear_lightning.losses.explanation_loss import check_loss
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.eval_mode import copied_statistics
from pear_lightning.scoring.scorer import Forward, run_model
from pear_lightning.training.effect_record import EffectRecord
from pear_lightning.training.matched_magnitude import MatchedMagnitude
from pear_lightning.training.precision import explanation_precision
from pear_lightning.training.progress import counts_within_epoch, epochs_so_far, steps_so_far
from pear_lightning.training.row_sample import sample_rows
from pear_lightning.training.weight_schedule import (
    ConstantWeight,
    LateStart,
    WarmUp,
    WeightSchedule,
)

Compilation = bool | Literal["reduce-overhead", "max-autotune"]
"""Whether to compile, or with which ``mode`` of ``torch.compile``."""


class Terms(NamedTuple):
    """The terms of the loss of a training step.

    Attributes:
        loss: The loss that is minimised, a scalar.
        task_loss: L, a scalar.
        penalty: R, a scalar; at a step between two that compute it, that of the last one, without
            a graph; ``None`` if it was not computed.
        ratio: ``w R`` divided by the weighted task loss, without a graph; ``None`` if R is not part
            of the loss.
    """

    loss: Tensor
    task_loss: Tensor
    penalty: Tensor | None = None
    ratio: Tensor | None = None

    def named(self, penalty: str) -> dict[str, Tensor]:
        """Return the terms that are not ``None``, by name.

        Args:
            penalty: Name for R.
        """
        named = self._asdict()
        named[penalty] = named.pop("penalty")
        return {name: value for name, value in named.items() if value is not None}


class Explained(NamedTuple):
    """The result of the explanation pass of a step.

    Attributes:
        epochs: Epochs of training so far, including the fraction of the current one.
        weight: Weight of R, averaged over steps.
        factor: Factor of the weight at this step, which makes up for steps without R.
        logits: Logits of the explained rows in eval mode; ``None`` if R did not compute them.
        penalty: R, a scalar; ``None`` if it was not computed.
        shares_logits: Whether the task loss can use the logits.
    """

    epochs: float
    weight: float
    factor: int = 1
    logits: Tensor | None = None
    penalty: Tensor | None = None
    shares_logits: bool = False


class Objective(nn.Module):
    r"""The objective of every method that trains a model through its explanations.

    .. math:: \mathcal{L} = v(w_t) \, L + w_t \, R

    L is the task loss, R an explanation loss, :math:`w_t` its scheduled weight, and v the factor of
    the task loss (1, or ``1 - w`` for PEAR). Modules call the objective with their network
    (:meth:`forward`). The callback :class:`~pear_lightning.callbacks.ExplanationRegularizer`
    receives a task loss that is already computed, so it calls the two parts separately
    (:meth:`explain`, :meth:`combine`).

    Args:
        loss: R.
        schedule: Schedule of the weight of R; a number is a constant weight.
        points_per_pass: Bound on the query points of each sample in one pass.
        rows: Rows of a batch on which R is computed, drawn at random in each step: a share, a float
            in (0, 1], or a number, an int; of the annotated rows if R needs masks. ``None`` means
            all. The estimate of R is unbiased if R is a mean or a sum over rows, and the task loss
            uses all rows, by a forward pass in training mode.
        every: Compute R at every q-th step only, with q times its weight. Without a trainer, which
            counts the steps, R is computed at every call.
        compile: Whether to compile the computation of R in training, the explanation pass and the
            loss as one graph, with ``torch.compile``; a name is its ``mode``. Another number of
            rows (a smaller last batch) compiles it once more, for any number of rows; a single
            row once again.

    Raises:
        TypeError: If ``loss`` is not an explanation loss.
        ValueError: If the weight is not valid for the loss (for a consensus loss, outside [0, 1]),
            ``rows`` or ``every`` is out of range, or torch is too old to compile.

    Example:
        >>> from pear_lightning.losses import ConsensusLoss
        >>> from pear_lightning.nn import MLP
        >>> network, inputs, target = MLP(4), torch.rand(8, 4), torch.randint(2, (8,))
        >>> loss = ConsensusLoss()
        >>> loss.explainers["integrated_gradients"].fit_reference(inputs.mean(0), inputs)
        >>> objective = Objective(loss, 0.5)
        >>> terms = objective(
        ...     network,
        ...     Batch(inputs, target),
        ...     lambda logits: nn.functional.cross_entropy(logits, target),
        ... )
        >>> bool(torch.isclose(terms.loss, 0.5 * terms.task_loss + 0.5 * terms.penalty))
        True
    """

    def __init__(
        self,
        loss: ExplanationLoss,
        schedule: WeightSchedule | float,
        *,
        points_per_pass: int | None = None,
        rows: int | float | None = None,
        every: int = 1,
        compile: Compilation = False,
    ) -> None:
        super().__init__()
        check_loss(loss)
        if points_per_pass is not None:
            check_count("points_per_pass", points_per_pass)
        check_share_or_count("rows", rows)
        check_count("every", every)
        _check_compilation(compile)
        _ = loss.explainers  # built on first access, which must precede loading a checkpoint
        self.loss = loss
        self.schedule = (
            schedule if isinstance(schedule, WeightSchedule) else ConstantWeight(schedule)
        )
        loss.task_weight(self.schedule.weight)  # raises for an invalid weight
        self.points_per_pass = points_per_pass
        self.rows = rows
        self.every = every
        self.compile_loss = compile
        self._compiled: Any = None
        self._effect = EffectRecord(type(loss).__name__)
        self._last: tuple[Tensor, Tensor] | tuple[()] = ()  # R and its ratio, for the log

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle or copy; another process compiles R for itself."""
        return {**self.__dict__, "_compiled": None}

    def forward(
        self,
        network: Forward,
        batch: Batch,
        task_loss: Callable[[Tensor], Tensor],
        *,
        shares_logits: Callable[[], bool] = lambda: False,
        trainer: Trainer | None = None,
    ) -> Terms:
        """Return the objective of a batch.

        Args:
            network: Maps inputs ``(N, *S)`` to logits ``(N, C)``; explained and trained.
            batch: The samples; their target is the explained class.
            task_loss: Maps logits ``(B, C)`` to the task loss, a scalar.
            shares_logits: Returns whether the network is the same function in train and eval mode,
                so that the task loss can use the logits of the explanation pass; called only if R
                is computed for all rows, with a weight above 0.
            trainer: The trainer, which counts the epochs; ``None`` is the start of training.
        """
        explained = self.explain(network, batch, trainer, shares_logits=shares_logits)
        logits = explained.logits
        if logits is None or not explained.shares_logits:
            logits = run_model(network, batch.inputs, batch.forward_kwargs)
        return self.combine(explained, task_loss(logits), trainer)

    def explain(
        self,
        network: Forward,
        batch: Batch,
        trainer: Trainer | None = None,
        *,
        shares_logits: Callable[[], bool] = lambda: False,
    ) -> Explained:
        """Compute R of a batch, if its weight is above 0 or the schedule observes it.

        Args:
            network: Maps inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: The samples; their target is the explained class.
            trainer: The trainer, which counts the epochs; ``None`` is the start of training.
            shares_logits: See :meth:`forward`.

        Returns:
            The weight, and R if it was computed; R has a graph if the weight is above 0.
        """
        epochs = self.epochs(trainer)
        weight = self.weight_at(epochs)
        if not weight and not self.schedule.listens(epochs):
            return Explained(epochs, weight)
        step, rank = (steps_so_far(trainer), trainer.global_rank) if trainer else (0, 0)
        if weight and step % self.every:
            return Explained(epochs, weight)
        factor = self.every if weight and trainer else 1
        keeps_graph = torch.set_grad_enabled(torch.is_grad_enabled() and weight > 0)
        with keeps_graph, explanation_precision(trainer, self.loss):
            sample = None
            if self.rows is not None:
                sample = sample_rows(batch, self.loss, self.rows, step=step, rank=rank)
            if sample is None:
                # called before the pass, because comparing both modes writes to buffers that the
                # pass may save for backward
                shares = weight > 0 and shares_logits()
                return Explained(epochs, weight, factor, *self.of_model(network, batch), shares)
            logits, penalty = self.of_model(network, sample.batch)
            return Explained(epochs, weight, factor, logits, sample.scale * penalty)

    def combine(
        self,
        explained: Explained,
        task_loss: Tensor,
        trainer: Trainer | None = None,
        *,
        scale: float = 1.0,
    ) -> Terms:
        """Combine both losses, and pass them to the schedule.

        Args:
            explained: Result of :meth:`explain`.
            task_loss: L, a scalar.
            trainer: The trainer, used to sum over ranks.
            scale: Factor that ``task_loss`` already contains (gradient accumulation, a loss
                scaler); R is multiplied by the same factor.

        Returns:
            The terms; ``task_loss`` and ``penalty`` without the factor ``scale``.
        """
        epochs, weight, factor, _, penalty, _ = explained
        unscaled = task_loss if scale == 1.0 else task_loss.detach() / scale
        self.schedule.observe(epochs, unscaled, penalty, trainer)
        self._effect.add(weight, penalty)
        if not weight:
            return Terms(task_loss, unscaled, penalty)
        task_weight = self.loss.task_weight(weight)
        if penalty is None:  # a step without R
            return Terms(task_weight * task_loss, unscaled, *self._last)
        loss = self.weighted(task_loss, penalty, weight, factor * scale)
        without_graph = penalty.detach()
        ratio = weight * without_graph / (task_weight * unscaled.detach().abs())
        self._last = (without_graph, ratio)
        return Terms(loss, unscaled, penalty, ratio)

    def weighted(
        self, task_loss: Tensor, penalty: Tensor, weight: float, scale: float = 1.0
    ) -> Tensor:
        """Return ``v(w) L + w R``.

        Args:
            task_loss: L, a scalar.
            penalty: R, a scalar.
            weight: w.
            scale: Factor of R.
        """
        return self.loss.task_weight(weight) * task_loss + weight * scale * penalty

    def of_model(self, network: Forward, batch: Batch) -> tuple[Tensor | None, Tensor]:
        """Compute R of a batch regardless of its weight.

        Args:
            network: Maps inputs ``(N, *S)`` to logits ``(N, C)``.
            batch: The samples; their target is the explained class.

        Returns:
            Logits ``(B, C)`` of the network in eval mode or ``None``, and R.
        """
        if self.compile_loss and torch.is_grad_enabled():
            mode = None if self.compile_loss is True else self.compile_loss
            if self._compiled is None:
                self._compiled = torch.compile(self.loss.of_model, mode=mode)
            with copied_statistics(network):
                logits, penalty = self._compiled(
                    network, batch, points_per_pass=self.points_per_pass
                )
            if isinstance(self.loss, AttributionLoss) and logits is not None:
                self.loss.look_at_logits(logits, batch)  # which a compiled loss cannot do
            return logits, penalty
        return self.loss.of_model(network, batch, points_per_pass=self.points_per_pass)

    def weight_at(self, epochs: float) -> float:
        """Return the weight of R after a number of epochs of training.

        Args:
            epochs: Epochs of training, including the fraction of the current one.
        """
        weight: float = self.schedule(epochs)
        return weight

    def epochs(self, trainer: Trainer | None) -> float:
        """Return how many epochs a fit has trained; 0 if the schedule does not depend on it.

        Args:
            trainer: A trainer that is fitting; ``None`` is the start of training.
        """
        return epochs_so_far(trainer) if trainer and self.schedule.depends_on_time else 0.0

    # --- record of the effect of R ------------------------------------------------------------

    def on_train_start(self, trainer: Trainer) -> None:
        """Start to record whether R acts in this fit, and warn of what changes it.

        That is gradient accumulation, and a schedule that cannot be followed in the first epoch.

        Args:
            trainer: The trainer.
        """
        self._effect.start()
        if not counts_within_epoch(trainer) and self.schedule.changes_in_first_epoch:
            rank_zero_warn(
                f"{type(self.schedule).__name__} of {type(self.loss).__name__} depends on the "
                "fraction of the first epoch, whose number of batches is unknown: the fraction "
                "counts as 0 until its end; give Trainer(limit_train_batches=...), the number of "
                "batches of an epoch, or start in a later epoch"
            )
        parts = trainer.accumulate_grad_batches
        if self.loss.couples_rows and parts > 1:
            rank_zero_warn(
                f"{type(self.loss).__name__} is a property of a batch, not a mean over its rows, "
                f"so with accumulate_grad_batches={parts} it is the mean of its values in {parts} "
                "small batches, another number than in one large batch: choose the weight anew, or "
                "use a larger batch_size instead"
            )

    def on_train_epoch_end(self, trainer: Trainer) -> None:
        """Warn once if R had no part in an epoch. Must be called on all ranks.

        Args:
            trainer: The trainer.
        """
        self._effect.end_epoch(self.schedule, trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        """Report what the weight did, or that R had no part. Must be called on all ranks.

        Args:
            trainer: The trainer.
        """
        self._effect.end(self.schedule, trainer)


def _check_compilation(compile: Compilation) -> None:
    """Raise for a mode that is not known, and for compilers that get second derivatives wrong."""
    if compile not in (False, True, "reduce-overhead", "max-autotune"):
        raise ValueError(
            f"compile must be a bool, 'reduce-overhead' or 'max-autotune', got {compile!r}"
        )
    if compile and torch.__version__ < "2.13":  # a TorchVersion, compared as versions are
        raise ValueError(
            f"torch must be version 2.13 or newer for compile={compile!r}, got "
            f"{torch.__version__}; earlier compilers can silently get second derivatives wrong "
            "(pytorch issue 181581)"
        )


def weight_schedule(
    weight: float,
    *,
    warmup_epochs: float = 0.0,
    start_epoch: float = 0.0,
    match_magnitude: bool = False,
) -> WeightSchedule:
    """Return the weight schedule for the arguments of a module or callback.

    Args:
        weight: Weight of the loss, at least 0.
        warmup_epochs: Epochs over which the weight rises linearly from 0.
        start_epoch: Epochs of training without the loss.
        match_magnitude: Whether the weight is the wanted ratio of the losses.

    Raises:
        ValueError: If a value is negative or not finite, or ``match_magnitude`` is given without
            ``start_epoch``.
    """
    if warmup_epochs and (start_epoch or match_magnitude):
        raise ValueError(
            f"warmup_epochs must be 0 with start_epoch or match_magnitude, got {warmup_epochs}: "
            "use one schedule"
        )
    if match_magnitude:
        return MatchedMagnitude(weight, start_epoch)
    if start_epoch:
        return LateStart(weight, start_epoch)
    return WarmUp(weight, warmup_epochs) if warmup_epochs else ConstantWeight(weight)
