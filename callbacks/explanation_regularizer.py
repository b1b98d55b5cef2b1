"""A callback that adds an explanation loss to any LightningModule."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, SingleDeviceStrategy
from torch import Tensor
from typing_extensions import override

from pear_lightning.callbacks.explained_network import explained_network
from pear_lightning.losses import ExplanationLoss
from pear_lightning.losses.explanation_loss import check_loss
from pear_lightning.metrics import CommonShare
from pear_lightning.scoring.batch import Batch, form_of
from pear_lightning.scoring.embedding import embedded
from pear_lightning.scoring.probability_outputs import warn_of_probabilities
from pear_lightning.training.objective import Objective, weight_schedule
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_explainers
from pear_lightning.training.weight_schedule import WeightSchedule


class ExplanationRegularizer(Callback):
    """Add an explanation loss to the training of any LightningModule.

    The module does not have to be changed. Before each backward pass, the callback explains the
    batch with the module's network and adds ``w · R`` to the loss. For a loss with a different
    objective (``(1 − λ) L + λ C`` of :class:`~pear_lightning.losses.ConsensusLoss`) it also scales
    the task loss. A single backward pass follows, so gradient accumulation, clipping, several
    devices (``"ddp"``) and loss scaling work as they do without the callback. The loss logged by
    the module with ``self.log`` is still the task loss alone; the callback logs ``train_<name>``
    (R), ``train_<name>_weight`` and ``train_<name>_ratio`` (the added term divided by the term of
    the task loss); and, where the loss computes logits of several classes,
    ``train_<name>_common_share`` of the explained rows
    (:class:`~pear_lightning.metrics.CommonShare`).

    The callback takes the passes of the explanation and one additional forward pass, which
    :class:`~pear_lightning.modules.PEAR` and
    :class:`~pear_lightning.modules.RightForTheRightReasons` can share with the task loss.

    Args:
        loss: Any explanation loss: of attributions (:class:`~pear_lightning.losses.ConsensusLoss`,
            :class:`~pear_lightning.losses.RightReasonsLoss`, attribution priors) or of the model.
        weight: w, at least 0; ``None`` is the default of the loss.
        model: Name of the submodule or method of the module that is explained, such as ``"net"``;
            it maps inputs to logits. ``None`` is the module's ``forward``.
        batch_to_inputs: Extracts the input of the loss from a batch: returns a
            :class:`~pear_lightning.scoring.Batch`, or a tuple of inputs, target and, optionally,
            mask. ``None`` takes any form that
            :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads: ``(inputs, target)``,
            ``(inputs, target, mask)``, or mappings such as those of Hugging Face. Token ids are
            embedded with the network's method ``embed``, if it has one and the loss needs
            gradients.
        start_epoch: Epochs of training without the explanation loss; fractions count batches,
            except in the first epoch of data of unknown length.
        match_magnitude: Whether w is the wanted ratio of the explanation loss, measured in the
            last quarter of the epochs before ``start_epoch``, to the task loss of the first step;
            see :class:`~pear_lightning.training.MatchedMagnitude`.
        points_per_pass: Bound on the query points of each sample in one pass.
        rows: Rows of a batch on which the explanation loss is computed, drawn at random in each
            step: a share, a float in (0, 1], or a number, an int; of the annotated rows if the loss
            needs masks. ``None`` means all. See :class:`~pear_lightning.training.Objective`.
        every: Compute the explanation loss at every q-th step only, with q times its weight.
        name: Name of the logged values.

    Raises:
        TypeError: If an argument is of the wrong type, the module has no ``forward``, or a
            batch cannot be parsed.
        ValueError: If a value is out of range, the trainer's precision is not supported, or the
            loss needs classes and a batch has none.
        RuntimeError: When training starts, if the module uses manual optimisation or the strategy
            shards its weights; in training, if a step ends without a backward pass of Lightning.

    Warns:
        UserWarning: At the end of training, if the loss never acted: nothing was annotated, or
            ``start_epoch`` was not reached; and after the first whole epoch with the loss, if
            nothing was annotated.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> from pear_lightning.losses import RightReasonsLoss
        >>> regularizer = ExplanationRegularizer(RightReasonsLoss(), weight=10.0, model="layer")
        >>> trainer = Trainer(accelerator="cpu", logger=False, callbacks=[regularizer])
    """

    def __init__(
        self,
        loss: ExplanationLoss,
        weight: float | None = None,
        *,
        model: str | None = None,
        batch_to_inputs: Callable[[Any], Any] | None = None,
        start_epoch: float = 0.0,
        match_magnitude: bool = False,
        points_per_pass: int | None = None,
        rows: int | float | None = None,
        every: int = 1,
        name: str = "explanation_loss",
    ) -> None:
        check_loss(loss)
        if not isinstance(model, str | None):
            raise TypeError(
                "model must be the name of a submodule or method of the module, such as 'net', or "
                f"None for its forward, got {model!r}"
            )
        if batch_to_inputs is not None and not callable(batch_to_inputs):
            raise TypeError(f"batch_to_inputs must be a function, got {batch_to_inputs!r}")
        self.objective = Objective(
            loss,
            weight_schedule(
                loss.default_weight if weight is None else weight,
                start_epoch=start_epoch,
                match_magnitude=match_magnitude,
            ),
            points_per_pass=points_per_pass,
            rows=rows,
            every=every,
        )
        self.model = model
        self.batch_to_inputs = batch_to_inputs
        self.name = name
        self._batch: Batch | None = None
        self._logits: Tensor | None = None  # of the last step that explained, for the log
        self._added = False

    @property
    def loss(self) -> ExplanationLoss:
        """The explanation loss R."""
        return self.objective.loss

    @property
    def weight(self) -> WeightSchedule:
        """The schedule of w."""
        return self.objective.schedule

    @property
    @override
    def state_key(self) -> str:
        return f"ExplanationRegularizer(loss={type(self.loss).__name__}, name={self.name!r})"

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return reference data of the explainers and the matched weight."""
        return dict(self.objective.state_dict())

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.objective.load_state_dict(state_dict)

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raise for unsupported modules and strategies, and fit reference data of explainers."""
        if not pl_module.automatic_optimization:
            raise RuntimeError(
                "automatic_optimization must be True, so that there is one backward pass to which "
                f"the explanation loss is added, got False in {type(pl_module).__name__}; call "
                "loss.of_model(model, batch) in its training_step instead"
            )
        sharded = isinstance(trainer.strategy, DeepSpeedStrategy)  # a subclass of DDPStrategy
        if sharded or not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            raise RuntimeError(
                "strategy must keep whole weights on every device, because the explanation runs "
                f"outside the wrapped forward pass, got {type(trainer.strategy).__name__}; use one "
                "device or strategy='ddp'"
            )
        refuse_precision(trainer, self.loss)
        self._network(pl_module)
        self.objective.to(pl_module.device)
        fit_explainers(
            trainer,
            self.loss.modules(),
            pl_module.device,
            afresh=trainer.ckpt_path is None,
            inputs_of=lambda batch: self.batch_of(batch, pl_module).inputs,
        )

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to record whether the loss acts, and warn if gradient accumulation changes it."""
        self.objective.on_train_start(trainer)

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if the loss has had no part in the training so far."""
        self.objective.on_train_epoch_end(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if the loss had no part in the training."""
        self._logits = None
        self.objective.on_train_end(trainer)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Read the parts of the batch that the loss needs."""
        self._batch, self._added = self.batch_of(batch, pl_module), False
        target = self._batch.target
        if self.loss.needs_classes and (target is None or target.is_floating_point()):
            raise ValueError(
                f"target must hold classes, (B,) long, for {type(self.loss).__name__}, got "
                f"{None if target is None else target.dtype}; for regression use a loss that "
                "explains the output itself, such as RightReasonsLoss(output='logit')"
            )
        values = target is not None and target.is_floating_point()
        if values and not self.loss.explains_task_loss:
            self._batch = self._batch.explaining(None)  # values, not classes

    @override
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Add the explanation loss to the loss before it is differentiated."""
        if self._batch is None:
            raise RuntimeError(
                "backward passes must run within a training batch, got one outside, where there is "
                "nothing to explain"
            )
        self._added = True
        scaler = trainer.scaler
        # the scale that Lightning applies to the loss of a step
        scale = (1.0 if scaler is None else scaler.get_scale()) / trainer.accumulate_grad_batches
        with trainer.precision_plugin.forward_context():
            explained = self.objective.explain(self._network(pl_module), self._batch, trainer)
        terms = self.objective.combine(explained, loss, trainer, scale=scale)
        if explained.logits is not None:
            if self._logits is None:
                warn_of_probabilities("model", explained.logits)
            self._logits = explained.logits.detach()
        if terms.loss is not loss:
            loss.copy_(terms.loss)  # in place, because Lightning differentiates this tensor
        if terms.ratio is None or terms.penalty is None:
            return
        every = trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        if trainer.is_last_batch or (trainer.global_step + 1) % every == 0:
            values = {
                "": terms.penalty.detach(),
                "_weight": torch.tensor(explained.weight),
                "_ratio": terms.ratio,
            }
            logits = self._logits
            if logits is not None and logits.shape[1] > 1 and logits.isfinite().all():
                # of this process: the others may have explained nothing yet
                share = CommonShare(logits.shape[1], sync_on_compute=False).to(logits.device)
                share.update(logits)
                values["_common_share"] = share.compute()
            for suffix, value in values.items():
                name = f"train_{self.name}{suffix}"
                pl_module.log(name, value, batch_size=len(self._batch))

    @override
    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Raise if the explanation loss was not added in this step."""
        self._batch = None
        if outputs and not self._added:
            raise RuntimeError(
                f"a training step of {type(pl_module).__name__} must run a backward pass of "
                "Lightning, got none, so the explanation loss was never added; its optimizer_step "
                "must call the closure that it is given"
            )

    def batch_of(self, batch: Any, pl_module: LightningModule) -> Batch:
        """Return the parts of a training batch that the loss needs.

        Args:
            batch: A training batch.
            pl_module: The module that is trained.

        Raises:
            TypeError: If the batch has another form.
        """
        parts = batch if self.batch_to_inputs is None else self.batch_to_inputs(batch)
        if isinstance(parts, list | tuple) and len(parts) > 2 and not self.loss.needs_mask:
            # a third element is not for this loss, unless it is for the model
            third = parts[2] if isinstance(parts[2], Mapping) else None
            parts = (*parts[:2], third, *parts[3:])
        try:
            read = Batch.of(None if isinstance(parts, Tensor) else parts)  # needs a target
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self._of_the_form(parts)} ({error})") from error
        if not self.loss.needs_floating_inputs:
            return read
        return embedded(read, self._network(pl_module))

    def _of_the_form(self, parts: Any) -> str:
        what = "batch must be" if self.batch_to_inputs is None else "batch_to_inputs must return"
        return (
            f"{what} (inputs, target) or (inputs, target, mask) of tensors, got a "
            f"{form_of(parts)}; give ExplanationRegularizer(..., batch_to_inputs=lambda batch: "
            "...), which returns such a tuple, or a Batch with keyword arguments for the model"
        )

    def _network(self, pl_module: LightningModule) -> Callable[..., Tensor]:
        """Return the callable that is explained: the module, or its submodule or method."""
        return explained_network(pl_module, self.model, type(self).__name__)
