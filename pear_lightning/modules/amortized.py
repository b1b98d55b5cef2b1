"""Base class of modules that train an explainer of a given model."""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.explainers import AmortizedExplainer
from pear_lightning.explainers.amortized_explainer import RECIPE, ExplainedClass, of_class
from pear_lightning.functional.validation import check_finite, check_tensor
from pear_lightning.masking import Masker
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.modules.base import adamw
from pear_lightning.modules.target_model_module import TargetModelModule
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.fingerprint import described, model_fingerprint
from pear_lightning.scoring.modules_behind import modules_behind
from pear_lightning.scoring.outputs import OutputName
from pear_lightning.scoring.removals import Removals
from pear_lightning.scoring.scorer import logits_of

_ROUNDING = 0.01  # between logits of two runs; relative to the largest, at least to 1
_OF_EXPLAINERS = ("supervision", "supervision_target", "removals")


class ExplainerBatch(NamedTuple):
    """A batch for the training of an explainer.

    Attributes:
        batch: The samples; their target is the label, if there is one.
        bound: Their features.
        supervision: Explanations to learn from, ``(B, n)``; ``None`` without.
        removals: Stored evaluations of the explained model; ``None`` to evaluate it.
        supervision_target: Class that the supervision explains, ``(B,)`` long; ``None`` for the
            predicted one.
    """

    batch: Batch
    bound: BoundMasker
    supervision: Tensor | None = None
    removals: Removals | None = None
    supervision_target: Tensor | None = None


class AmortizedModule(TargetModelModule):
    """Base class of modules that train a network to explain a given model in one pass.

    The explained model f is any callable (a network, a LightningModule, a wrapped classifier of
    another library). It runs in eval mode and without gradients, and it belongs neither to the
    optimised parameters nor to the checkpoint. Subclasses implement :meth:`training_loss` and
    :meth:`evaluation_loss`.

    Batches have any form that :meth:`Batch.of <pear_lightning.scoring.Batch.of>` reads; a mapping
    may also have ``supervision`` ``(B, n)``, ``supervision_target`` ``(B,)``, the class that it
    explains (the predicted one without), and ``removals``, a mapping of the tensors of
    :class:`~pear_lightning.scoring.removals.Removals`. Labels are needed only to explain the true
    class.

    Supervision of any class trains a network with scores of all classes and, unless the true class
    is explained, one whose input is the class; of other networks, it must explain the explained
    class, which is checked where that is known without another evaluation of f.

    Args:
        target_model: The explained model f; maps inputs ``(N, *S)`` to logits ``(N, C)``. ``None``
            is sufficient for predictions that do not evaluate it.
        network: The explainer network; maps inputs to scores ``(B, n)`` or ``(B, n, C)``.
        masker: Defines the features and their values when removed.
        explained: Class that is explained: the ``"predicted"`` one, the ``"true"`` one, or
            ``"all"`` at once by a network with scores ``(B, n, C)``.
        side: Side inputs of the network that are computed from f: ``"gradient"``, the gradient of
            the explained scalar; ``"removals"``, its drop when a feature is removed alone; and
            ``"hidden:<layer>"``, the output of a layer (a name of ``f.named_modules()``) at each
            feature. The network's ``side_channels`` is the number of their values of a feature: 1
            for the first two, the number of channels for a layer.
        zero_rule: Whether features that equal the baseline get score 0. Set it to ``False`` for
            scores in [0, 1], where 0 is the lowest score.
        output: Scalar of f that side inputs describe.
        optimizer: Callable from parameters to an optimiser.
        lr_scheduler: Callable from the optimiser to a scheduler, stepped once per epoch.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a name is unknown.
    """

    def __init__(
        self,
        target_model: nn.Module | Callable[..., Tensor] | None,
        network: nn.Module,
        masker: Masker,
        *,
        explained: ExplainedClass = "predicted",
        side: Sequence[str] = (),
        zero_rule: bool = True,
        output: OutputName = "centered_logit",
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        explainer = AmortizedExplainer(
            network, masker, explained=explained, side=side, zero_rule=zero_rule, output=output
        )
        super().__init__(target_model, explainer, optimizer=optimizer, lr_scheduler=lr_scheduler)

    @property
    def explainer(self) -> AmortizedExplainer:
        """The explainer that is trained."""
        explainer: AmortizedExplainer = self.backbone  # type: ignore[assignment]
        return explainer

    @abstractmethod
    def training_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss of a batch and its parts.

        Args:
            batch: The batch.

        Returns:
            Scalars to log, including ``"loss"``, which is minimised.
        """

    @abstractmethod
    def evaluation_loss(self, batch: ExplainerBatch) -> dict[str, Tensor]:
        """Return the loss of a batch of validation or test, and its parts.

        Args:
            batch: The batch.
        """

    # --- batches ------------------------------------------------------------------------------

    def batch_of(self, batch: Any) -> ExplainerBatch:
        """Read a batch and bind its features.

        Args:
            batch: See the class.

        Raises:
            TypeError: If the batch has another form.
            ValueError: If a shape does not fit.
        """
        rest, extra = batch, dict[str, Any]()
        if isinstance(batch, Mapping):
            extra = {name: batch[name] for name in _OF_EXPLAINERS if name in batch}
            rest = {name: value for name, value in batch.items() if name not in extra}
        read = Batch.of(rest)
        bound = self.explainer.masker.bind(read.inputs, read.sample_data)
        supervision, removals = extra.get("supervision"), extra.get("removals")
        if supervision is not None:
            supervision = _widened(supervision, bound, 0.0)
        if isinstance(removals, Mapping) and isinstance(removals.get("keep"), Tensor):
            removals = {**removals, "keep": _widened(removals["keep"], bound, True)}
        target = extra.get("supervision_target")
        if target is not None:
            check_tensor("supervision_target", target)
            if target.shape != read.inputs.shape[:1] or target.is_floating_point():
                raise ValueError(
                    f"supervision_target must be class indices ({len(read)},), got "
                    f"{tuple(target.shape)} {target.dtype}"
                )
        wanted = (len(read), bound.n_features)
        if supervision is not None and tuple(supervision.shape) != wanted:
            raise ValueError(
                f"supervision must have shape {wanted}, got {tuple(supervision.shape)}"
            )
        return ExplainerBatch(
            read,
            bound,
            supervision,
            None if removals is None else Removals.of(removals),
            target,
        )

    def logits(self, batch: ExplainerBatch) -> Tensor:
        """Return the logits of f at the samples, ``(B, C)``, without gradients.

        Args:
            batch: The batch.
        """
        with torch.autocast(batch.batch.inputs.device.type, enabled=False):
            return logits_of(self.target_model, batch.batch)

    def explaining(self, batch: ExplainerBatch, logits: Tensor | None = None) -> Batch:
        """Return the samples with the explained class as their target.

        The class of supervision is explained by a network whose input is the class, unless the true
        class is to be explained.

        Args:
            batch: The batch.
            logits: Logits of f at the samples, if they are known.

        Returns:
            The batch; without target if all classes are explained.

        Raises:
            ValueError: If the true class is explained and the batch has no labels.
        """
        explained = self.explainer.explained
        if explained == "true":
            return batch.batch.explaining(batch.batch.labels)
        if explained == "all":
            return batch.batch.explaining(None)
        if batch.supervision_target is not None and self.explainer.uses_target:
            return batch.batch.explaining(batch.supervision_target)
        return batch.batch.explaining_predicted(self.logits(batch) if logits is None else logits)

    def saliency(self, batch: ExplainerBatch, explained: Batch) -> Tensor:
        """Return the scores of the features, ``(B, n)`` or ``(B, n, C)``, with a graph.

        Args:
            batch: The batch.
            explained: Its samples with the explained class, from :meth:`explaining`.

        Raises:
            ValueError: If the network does not return scores of every class as it must, or returns
                NaN or Inf.
        """
        forward = self.target_model if self.explainer.uses_model else None
        saliency = self.explainer.saliency(explained, forward=forward, bound=batch.bound)
        if (saliency.ndim == 3) != (self.explainer.explained == "all"):
            raise ValueError(
                "network must return scores (B, n, C) with explained='all', and (B, n) otherwise, "
                f"got {tuple(saliency.shape)} with explained={self.explainer.explained!r}"
            )
        # a choice of the highest scores would take NaN for a score
        check_finite("saliency", saliency)
        return saliency

    def of_supervision(
        self, batch: ExplainerBatch, saliency: Tensor, logits: Tensor | None = None
    ) -> Tensor:
        """Return the scores of the class that the supervision explains, ``(B, n)``.

        Args:
            batch: The batch.
            saliency: ``(B, n)``, which are returned unchanged, or ``(B, n, C)``.
            logits: Logits of f at the samples, if they are known.

        Raises:
            ValueError: If ``(B, n)`` are known to be scores of another class.
        """
        if saliency.ndim == 2:
            self._check_supervised_class(batch, logits)
            return saliency
        target = batch.supervision_target
        if target is None:
            target = (self.logits(batch) if logits is None else logits).argmax(dim=1)
        return of_class(saliency, target)

    def _check_supervised_class(self, batch: ExplainerBatch, logits: Tensor | None) -> None:
        """Raise if the supervision explains another class than scores ``(B, n)``."""
        given, explained = batch.supervision_target, self.explainer.explained
        if given is None:
            return
        if explained == "true" and batch.batch.target is not None:
            fits = given == batch.batch.target
        elif explained == "predicted" and logits is not None and not self.explainer.uses_target:
            given = batch.batch.explaining(given).classes_among(logits.shape[1], "target_model")
            largest = logits.amax(dim=1)
            rounding = _ROUNDING * logits.abs().amax(dim=1).clamp(min=1)
            # an earlier run, on another device, may have predicted the other of two equal classes
            fits = logits.gather(1, given[:, None])[:, 0] >= largest - rounding
        else:
            return
        if not bool(fits.all()):
            raise ValueError(
                f"supervision_target must be the explained class, the {explained} one, for scores "
                f"(B, n), got another for {int((~fits).sum())} of {len(fits)} samples; give "
                "supervision of that class, or explained='all' and a network with per_class=True"
            )

    def forward(self, inputs: Tensor, **kwargs: Any) -> Tensor:
        """Return attributions ``(B, *S)`` of inputs, in the current mode of the network.

        Args:
            inputs: Inputs, ``(B, *S)``.
            **kwargs: ``target``, the explained class ``(B,)``, and data of the samples.
        """
        batch = Batch.of({"inputs": inputs, **kwargs})
        forward = self.target_model if self.explainer.uses_model else None
        return self.explainer.attributions(batch, forward=forward, evaluate=False)

    # --- steps --------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:  # type: ignore[override]
        """Compute the loss of a training batch.

        Args:
            batch: See the class.
            batch_idx: Not used.

        Returns:
            ``loss``, and its parts without a graph, which callbacks read.
        """
        read = self.batch_of(batch)
        parts = self.training_loss(read)
        self.log_parts(parts, len(read.batch))
        loss = parts["loss"]
        return {name: each.detach() for name, each in parts.items()} | {"loss": loss}

    def evaluate(self, batch: Any) -> tuple[dict[str, Tensor], int]:
        """Return :meth:`evaluation_loss` of a batch, and its number of rows.

        Args:
            batch: See the class.
        """
        read = self.batch_of(batch)
        return self.evaluation_loss(read), len(read.batch)

    def predict_step(
        self, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Tensor]:
        """Explain a batch in one pass.

        Args:
            batch: See the class.
            batch_idx: Not used.
            dataloader_idx: Not used.

        Returns:
            ``saliency`` ``(B, n)`` or ``(B, n, C)``; and ``target`` ``(B,)``, the explained class,
            if it is known.
        """
        read = self.batch_of(batch)
        explained = read.batch.explaining(None)
        known = self.explainer.explained == "true" and read.batch.target is not None
        if known or self.explainer.uses_target or self.explainer.side:
            explained = self.explaining(read)
        found = {"saliency": self.saliency(read, explained)}
        if explained.target is not None:
            found["target"] = explained.target
        return found

    # --- hooks --------------------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Check that stored explanations are of the same model, features and class.

        Raises:
            ValueError: If they are not.
        """
        super().on_fit_start()
        stored = getattr(self.trainer.datamodule, "supervision_settings", None)  # type: ignore[attr-defined]
        if stored is None:
            return
        # nothing is known of a function without weights, which may never be evaluated
        if self._target.is_given and modules_behind(self.target_model):
            found = model_fingerprint(self.target_model)
            if found != stored.get("target_model", found):
                raise ValueError(
                    "target_model must be the model that was explained, got one with other layers "
                    "or weights, or another fit; give the model of that run (a classifier that is "
                    "fitted in each run: with the same random_state), or explain it in another "
                    "folder"
                )
        masker = described(self.explainer.masker)
        if stored.get("masker", masker) != masker:
            raise ValueError(
                f"masker must be that of the stored explanations, {stored['masker']}, got {masker}"
            )
        explained = self.explainer.explained
        if explained != "all" and stored.get("explained", explained) != explained:
            raise ValueError(
                "explained must be the class of the stored explanations, "
                f"{stored['explained']!r}, got {explained!r}"
            )

    def on_predict_start(self) -> None:
        """Prepare the explained model, if predictions need it."""
        super().on_predict_start()
        if self._target.is_given:
            self._prepare_evaluation()

    # --- checkpoints --------------------------------------------------------------------------

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """Return the module of a checkpoint, which holds no objects.

        Args:
            checkpoint_path: The checkpoint.
            *args: See :meth:`lightning.pytorch.LightningModule.load_from_checkpoint`.
            **kwargs: Likewise; ``target_model`` (which may be ``None``), ``network`` and
                ``masker`` must be given, unless the command line has trained the module.

        Raises:
            TypeError: If an object is not given.
        """
        try:
            return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
        except TypeError as error:
            arguments = inspect.signature(cls).parameters
            given = [name for name in arguments if name in kwargs]
            missing = [name for name in arguments if f"'{name}'" in str(error)]
            if "__init__() missing" not in str(error) or not missing or {*missing} & {*given}:
                raise
            listed = ", ".join(missing).replace("target_model", "target_model (or None)")
            raise TypeError(
                f"{listed} must be given to {cls.__name__}.load_from_checkpoint, because a "
                f"checkpoint holds no objects, got {', '.join(given) or 'none'}; to explain only, "
                "use AmortizedExplainer.load_from_checkpoint, which needs no model, and rebuilds "
                "networks and maskers of this library"
            ) from error

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what :meth:`AmortizedExplainer.load_from_checkpoint` needs, as plain values.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_save_checkpoint(checkpoint)
        checkpoint[RECIPE] = self.explainer.recipe()


# Lightning's decorator also refuses calls on an instance, whose result would be thrown away
AmortizedModule.load_from_checkpoint = type(vars(LightningModule)["load_from_checkpoint"])(  # type: ignore[method-assign]
    vars(AmortizedModule)["load_from_checkpoint"].__func__
)


def _widened(stored: Tensor, bound: BoundMasker, value: float) -> Tensor:
    """Pad the last dimension to n if all samples lack the features that are missing in it."""
    width, n = stored.shape[-1], bound.n_features
    if width >= n or bool(bound.present[:, width:].any()):
        return stored
    return torch.nn.functional.pad(stored, (0, n - width), value=value)
