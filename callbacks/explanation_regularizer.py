"""An explanation loss for any LightningModule."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, SingleDeviceStrategy
from torch import Tensor
from typing_extensions import override

from pear_lightning.losses import ExplanationLoss
from pear_lightning.scoring.batch import Batch, form_of
from pear_lightning.scoring.embedding import embedded
from pear_lightning.training.objective import Objective, weight_schedule
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_explainers
from pear_lightning.training.weight_schedule import WeightSchedule


class ExplanationRegularizer(Callback):
    """Add an explanation loss to the training of a LightningModule that knows nothing of it.

    The module stays as it is. Right before each backward pass the callback explains the batch
    with the module's network and adds ``w · R`` to the loss; for a loss with an objective of its
    own (``(1 − λ) L + λ C`` of :class:`~pear_lightning.losses.ConsensusLoss`) it also scales the
    task loss. One backward pass follows, so gradient accumulation, clipping, several devices
    (``"ddp"``) and loss scaling work as they do without it. ``self.log`` of the module still
    shows the task loss alone; the callback logs ``train_<name>`` (R), ``train_<name>_weight``
    and ``train_<name>_ratio`` (how large the added part is beside the task's).

    It costs the passes of the explanation, and one forward pass that
    :class:`~pear_lightning.modules.PEAR` and
    :class:`~pear_lightning.modules.RightForTheRightReasons` can share with the task loss.

    Args:
        loss: Any explanation loss: of attributions (:class:`~pear_lightning.losses.ConsensusLoss`,
            :class:`~pear_lightning.losses.RightReasonsLoss`, attribution priors) or of the model.
        weight: w, at least 0; ``None`` is the loss's own default.
        model: What is explained: the name of a submodule or method of the module, such as
            ``"net"``, which maps inputs to logits; ``None`` for the module's ``forward``.
        batch_to_inputs: Takes the loss's part out of a batch: returns a
            :class:`~pear_lightning.scoring.Batch`, or a tuple of inputs, target and, where there
            is one, mask. ``None`` takes whatever
            :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads: ``(inputs, target)``,
            ``(inputs, target, mask)``, mappings as Hugging Face has them. Token ids are embedded
            by the network's method ``embed``, if it has one and the loss needs gradients.
        start_epoch: Epochs of training without the explanation loss; fractions count batches.
        match_magnitude: Whether w is the wanted ratio of penalty and task loss, measured over the
            second half of the epochs before ``start_epoch``.
        points_per_pass: Bound on the query points of each sample in one pass.
        name: What the logged values are called.

    Raises:
        TypeError: If an argument is of the wrong type, the module has no ``forward``, or a
            batch cannot be parsed.
        ValueError: If a value is out of range, the trainer's precision is not supported, or the
            loss needs classes and a batch has none.
        RuntimeError: When training starts, if the module optimises by hand or the strategy shards
            its weights; when a step never called for a backward pass of its own.

    Warns:
        UserWarning: At the end of training, if the loss never acted: nothing was annotated, or
            ``start_epoch`` was not reached.

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
        name: str = "explanation_loss",
    ) -> None:
        if not isinstance(loss, ExplanationLoss):
            raise TypeError(
                "loss must be an ExplanationLoss, such as ConsensusLoss() or RightReasonsLoss(), "
                f"got {type(loss).__name__}"
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
        )
        self.model = model
        self.batch_to_inputs = batch_to_inputs
        self.name = name
        self._batch: Batch | None = None
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
        """Take the state of a checkpoint."""
        self.objective.load_state_dict(state_dict)

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what cannot work, and fit the explainers' reference data."""
        if not pl_module.automatic_optimization:
            raise RuntimeError(
                f"{type(pl_module).__name__} optimises by hand (automatic_optimization=False), so "
                "there is no single backward pass to add the explanation loss to; call "
                "loss.of_model(model, inputs, target) in its training_step instead"
            )
        sharded = isinstance(trainer.strategy, DeepSpeedStrategy)  # which is a DDPStrategy too
        if sharded or not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
            raise RuntimeError(
                f"{type(trainer.strategy).__name__} is not supported: the explanation runs outside "
                "the wrapped forward pass, which needs whole weights on every device; use one "
                "device or strategy='ddp'"
            )
        refuse_precision(trainer, self.loss, explains_in_float32=True)
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
        """Begin to watch whether the loss ever acts."""
        self.objective.on_train_start()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if it never did."""
        self.objective.on_train_end(trainer)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Take what the loss needs from the batch."""
        self._batch, self._added = self.batch_of(batch, pl_module), False
        target = self._batch.target
        if self.loss.needs_classes and (target is None or target.is_floating_point()):
            raise ValueError(
                f"{type(self.loss).__name__} needs classes, labels (B,) long, and the batch has "
                f"target {None if target is None else target.dtype}; for regression use a loss "
                "that explains the output itself, such as RightReasonsLoss(output='logit')"
            )

    @override
    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        """Add the explanation loss to what is about to be differentiated."""
        if self._batch is None:
            raise RuntimeError(
                "a backward pass ran outside a training batch, where there is nothing to explain"
            )
        self._added = True
        scaler = trainer.scaler
        # as Lightning scales the loss of a step
        scale = (1.0 if scaler is None else scaler.get_scale()) / trainer.accumulate_grad_batches
        with self._precision(trainer):
            explained = self.objective.explain(self._network(pl_module), self._batch, trainer)
        terms = self.objective.combine(explained, loss, trainer, scale=scale)
        if terms.ratio is None or terms.penalty is None:
            return
        loss.copy_(terms.loss)  # in place, because this tensor is the one that is differentiated
        every = trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        if trainer.is_last_batch or (trainer.global_step + 1) % every == 0:
            values = {
                "": terms.penalty.detach(),
                "_weight": torch.tensor(explained.weight),
                "_ratio": terms.ratio,
            }
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
        """Make sure that the step came by."""
        self._batch = None
        if outputs and not self._added:
            raise RuntimeError(
                f"a training step of {type(pl_module).__name__} ended without a backward pass of "
                "Lightning's, so the explanation loss was never added: its optimizer_step must "
                "call the closure that it is given"
            )

    def batch_of(self, batch: Any, pl_module: LightningModule) -> Batch:
        """Return what a batch holds for the loss.

        Args:
            batch: A training batch.
            pl_module: The module that is trained.

        Returns:
            The batch.

        Raises:
            TypeError: If the batch is of another form.
        """
        parts = batch if self.batch_to_inputs is None else self.batch_to_inputs(batch)
        if isinstance(parts, list | tuple) and len(parts) > 2 and not self.loss.needs_mask:
            parts = (*parts[:2], None, *parts[3:])  # whatever it is, it is not for this loss
        try:
            read = Batch.of(None if isinstance(parts, Tensor) else parts)  # alone, it has no target
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self._of_the_form(parts)} ({error})") from error
        if not self.loss.needs_floating_inputs:
            return read
        return embedded(read, self._network(pl_module))

    def _of_the_form(self, parts: Any) -> str:
        what = "a batch is" if self.batch_to_inputs is None else "batch_to_inputs returned"
        return (
            f"{what} a {form_of(parts)}, not (inputs, target) or (inputs, target, mask) of "
            "tensors: give ExplanationRegularizer(..., batch_to_inputs=lambda batch: ...), which "
            "returns such a tuple, or a Batch with keyword arguments for the model"
        )

    def _network(self, pl_module: LightningModule) -> Callable[..., Tensor]:
        """Return what is explained: the module, or what its submodule or method is called."""
        network: Any = pl_module
        for part in self.model.split(".") if self.model else ():
            if not hasattr(network, part):
                raise ValueError(
                    f"model={self.model!r} is not in {type(pl_module).__name__}: "
                    f"{type(network).__name__} has no {part!r}"
                )
            network = getattr(network, part)
        if network is pl_module and type(pl_module).forward is LightningModule.forward:
            raise TypeError(
                f"{type(pl_module).__name__} has no forward: name the submodule or method that "
                "maps inputs to logits, as in ExplanationRegularizer(..., model='net')"
            )
        if not callable(network):
            raise TypeError(f"model={self.model!r} must be a module or a method, got {network!r}")
        return network  # type: ignore[no-any-return]

    def _precision(self, trainer: Trainer) -> Any:
        """Return the context of the explanation: the trainer's, but never float16.

        Gradients of the inputs are not scaled as those of the weights are, and would underflow.
        """
        if trainer.precision == "16-mixed" and self.loss.differentiates_gradients:
            return nullcontext()
        return trainer.precision_plugin.forward_context()
