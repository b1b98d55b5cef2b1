"""An explanation loss for any LightningModule."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, SingleDeviceStrategy
from torch import Tensor
from typing_extensions import override

from pear_lightning.functional.validation import check_count
from pear_lightning.losses import ExplanationLoss
from pear_lightning.training.penalty_weight import PenaltyWeight, epochs_so_far, warn_if_idle
from pear_lightning.training.precision import refuse_precision
from pear_lightning.training.reference_data import fit_explainers


class Sample(NamedTuple):
    """What a batch holds for an explanation loss.

    Attributes:
        inputs: Inputs that are explained, ``(B, *S)`` float.
        target: Classes ``(B,)`` long; ``None`` for a model with one output.
        mask: Annotations, ``(B, *S)`` or 1 in some dimensions; ``None`` for none.
        forward_kwargs: Further keyword arguments of the model; tensors have ``B`` rows.
    """

    inputs: Tensor
    target: Tensor | None
    mask: Tensor | None = None
    forward_kwargs: Mapping[str, Any] | None = None


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
        batch_to_inputs: Takes the loss's part out of a batch: returns a :class:`Sample`, or a tuple
            of inputs, target and, where there is one, mask. ``None`` takes batches
            ``(inputs, target)`` and ``(inputs, target, mask)``.
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
        if points_per_pass is not None:
            check_count("points_per_pass", points_per_pass)
        if batch_to_inputs is not None and not callable(batch_to_inputs):
            raise TypeError(f"batch_to_inputs must be a function, got {batch_to_inputs!r}")
        weight = loss.default_weight if weight is None else weight
        loss.task_weight(weight)  # refuses what the objective has no place for
        self.loss = loss
        _ = loss.explainers  # made when first asked for: before a checkpoint fills them
        self.weight = PenaltyWeight(
            weight, start_epoch=start_epoch, match_magnitude=match_magnitude
        )
        self.model = model
        self.batch_to_inputs = batch_to_inputs
        self.points_per_pass = points_per_pass
        self.name = name
        self._sample: Sample | None = None
        self._added = False

    @property
    @override
    def state_key(self) -> str:
        return f"ExplanationRegularizer(loss={type(self.loss).__name__}, name={self.name!r})"

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return reference data of the explainers and the matched weight."""
        return {"loss": self.loss.state_dict(), "weight": self.weight.state_dict()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self.loss.load_state_dict(state_dict["loss"])
        self.weight.load_state_dict(state_dict["weight"])

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
        self.loss.to(pl_module.device)
        self.weight.to(pl_module.device)
        fit_explainers(
            trainer,
            self.loss.modules(),
            pl_module.device,
            afresh=trainer.ckpt_path is None,
            inputs_of=lambda batch: self.sample_of(batch).inputs,
        )

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to watch whether the loss ever acts."""
        self.weight.restart()

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn if it never did."""
        warn_if_idle(self.weight, type(self.loss).__name__, trainer)

    @override
    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Take what the loss needs from the batch."""
        self._sample, self._added = self.sample_of(batch), False
        target = self._sample.target
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
        if self._sample is None:
            raise RuntimeError(
                "a backward pass ran outside a training batch, where there is nothing to explain"
            )
        self._added = True
        epochs = epochs_so_far(trainer)
        weight = self.weight.at(epochs)
        share = 1 / trainer.accumulate_grad_batches  # as Lightning scales the loss of a step
        scaler = trainer.scaler
        task_loss = loss.detach() / (share * (1.0 if scaler is None else scaler.get_scale()))
        if not weight:
            self.weight.begin(task_loss)
            if not self.weight.listens_at(epochs):
                return
        with torch.set_grad_enabled(bool(weight)), self._precision(trainer):
            penalty = self._penalty(pl_module, self._sample)
        if not weight:
            self.weight.compare(task_loss, penalty, epochs, trainer)
            return
        self.weight.applied(penalty)
        task_weight = self.loss.task_weight(weight)
        added = weight * share * penalty
        if scaler is not None:
            added = scaler.scale(added)
        # In place, because this tensor is the one that backward is called on.
        loss.mul_(task_weight).add_(added.to(loss.dtype))
        every = trainer.log_every_n_steps or 1  # type: ignore[attr-defined]
        if trainer.is_last_batch or (trainer.global_step + 1) % every == 0:
            self._log(pl_module, weight, task_weight * task_loss, penalty.detach())

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
        self._sample = None
        if outputs and not self._added:
            raise RuntimeError(
                f"a training step of {type(pl_module).__name__} ended without a backward pass of "
                "Lightning's, so the explanation loss was never added: its optimizer_step must "
                "call the closure that it is given"
            )

    def sample_of(self, batch: Any) -> Sample:
        """Return what a batch holds for the loss.

        Args:
            batch: A training batch.

        Returns:
            The sample.

        Raises:
            TypeError: If the batch is of another form.
        """
        parts = batch if self.batch_to_inputs is None else self.batch_to_inputs(batch)
        if isinstance(parts, Sample):
            sample = parts
        elif isinstance(parts, list | tuple) and len(parts) in (2, 3):
            mask = parts[2] if len(parts) == 3 and self.loss.needs_mask else None
            sample = Sample(parts[0], parts[1], mask)
        else:
            raise TypeError(self._of_the_form(parts))
        if not isinstance(sample.inputs, Tensor) or not all(
            part is None or isinstance(part, Tensor) for part in (sample.target, sample.mask)
        ):
            raise TypeError(self._of_the_form(parts))
        return sample

    def _of_the_form(self, parts: Any) -> str:
        what = "a batch is" if self.batch_to_inputs is None else "batch_to_inputs returned"
        form = type(parts).__name__
        if isinstance(parts, list | tuple):
            form = f"{form} of {', '.join(type(part).__name__ for part in parts)}"
        elif isinstance(parts, Mapping):
            form = f"{form} of {', '.join(map(repr, parts))}"
        return (
            f"{what} a {form}, not (inputs, target) or (inputs, target, mask) of tensors: give "
            "ExplanationRegularizer(..., batch_to_inputs=lambda batch: ...), which returns such a "
            "tuple, or a Sample with keyword arguments for the model"
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

    def _penalty(self, pl_module: LightningModule, sample: Sample) -> Tensor:
        return self.loss.of_model(
            self._network(pl_module),
            sample.inputs,
            sample.target,
            sample.mask,
            forward_kwargs=sample.forward_kwargs,
            points_per_pass=self.points_per_pass,
        )[1]

    def _precision(self, trainer: Trainer) -> Any:
        """Return the context of the explanation: the trainer's, but never float16.

        Gradients of the inputs are not scaled as those of the weights are, and would underflow.
        """
        if trainer.precision == "16-mixed" and self.loss.differentiates_gradients:
            return nullcontext()
        return trainer.precision_plugin.forward_context()

    def _log(
        self, pl_module: LightningModule, weight: float, task_loss: Tensor, penalty: Tensor
    ) -> None:
        sample = self._sample
        assert sample is not None
        values = {
            "": penalty,
            "_weight": torch.tensor(weight),
            "_ratio": weight * penalty / task_loss.abs(),
        }
        for suffix, value in values.items():
            pl_module.log(f"train_{self.name}{suffix}", value, batch_size=len(sample.inputs))
