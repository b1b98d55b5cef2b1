"""ScoresActivation: feature scores that are learned with the task."""

from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.modules.base import adamw
from pear_lightning.modules.scored_module import ScoredModule, in_features_of
from pear_lightning.modules.supervised import Task
from pear_lightning.nn import FeatureGate, GatedBackbone, ScoresActivation
from pear_lightning.nn.next_layers import next_layers


class ScoresActivationModule(ScoredModule):
    r"""Train a backbone together with a gate that scores its input features.

    .. math:: L = \frac1B \sum_k \ell\left(f(w \odot x_k), y_k\right) + \Omega(w)

    The gate is :class:`~pear_lightning.nn.ScoresActivation`, ``w = softmax(s)``, with no further
    loss Ω, or any other :class:`~pear_lightning.nn.FeatureGate`. The scores are there when training
    ends: reading them costs no pass through the model. What they are not (the importance of a
    feature, comparable between numbers of features, an explanation of a row) stands with the
    gate; standardise the inputs.

    Args:
        backbone: Any module f: inputs ``(B, *S)`` to logits ``(B, C)``; for regression to
            ``(B, 1)`` or ``(B,)``.
        gate: The gate. ``None`` is ``ScoresActivation(n)`` with n the ``in_features`` of the
            backbone, or of the module at ``place``.
        place: Name of the module of the backbone whose input is gated; ``None`` gates the inputs
            of the backbone. Scores are then about the features there.
        lr_multiplier: Learning rate of the gate over that of the backbone, above 0. The gradient of
            a softmax gate is of order 1/d (d features), so at the same rate it lags behind the
            backbone. In ``benchmarks/scores_activation.py`` 10 agrees better with mean absolute
            SHAP values of the same model (Spearman .93 to .95) than 1 does (.89 to .91), and
            ``ScoresActivation(n, rescale=0.5)`` with 30 and a weight decay of 1 finds more of the
            relevant features. :class:`~pear_lightning.nn.StochasticGates` are better with 1.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser that takes parameter groups. The gate
            has a group of its own, without weight decay, which would pull scores together. A
            scheduler that sets rates itself, such as ``OneCycleLR``, needs one for each group.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range, or there is no gate and no ``in_features``.

    Shapes:
        - batch: inputs ``(B, *S)`` and target ``(B,)``
        - scores: ``(d,)``
        - prediction: see :meth:`predict_step`

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from pear_lightning.datamodules import BreastCancer
        >>> from pear_lightning.nn import MLP
        >>> model = ScoresActivationModule(MLP(30))
        >>> trainer = Trainer(max_epochs=2, accelerator="cpu", logger=False,
        ...                   enable_checkpointing=False, enable_progress_bar=False,
        ...                   enable_model_summary=False)
        >>> trainer.fit(model, BreastCancer(val_fraction=0.25))
        >>> model.scores.shape, round(model.scores.sum().item(), 4)
        (torch.Size([30]), 1.0)

    References:
        E. Covaci, F. Galis, R. Balan, D. Zaharie, D. Onchis. *ScoresActivation: a new activation
        function for model agnostic global explainability by design.* 2025, arXiv 2511.13809.

    Deviations from the paper:
        Everything but the formula of the gate: see :class:`~pear_lightning.nn.ScoresActivation`.
        Learning rates, optimiser and the place of the gate are not known from the paper.
    """

    backbone: GatedBackbone

    not_hyperparameters: ClassVar[tuple[str, ...]] = (*ScoredModule.not_hyperparameters, "gate")

    def __init__(
        self,
        backbone: nn.Module,
        gate: FeatureGate | None = None,
        *,
        place: str | None = None,
        lr_multiplier: float = 10.0,
        task: Task = "classification",
        num_classes: int = 2,
        optimizer: OptimizerCallable = adamw,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        if not lr_multiplier > 0:
            raise ValueError(f"lr_multiplier must be above 0, got {lr_multiplier}")
        if gate is None:
            features = in_features_of(backbone if place is None else backbone.get_submodule(place))
            gate = ScoresActivation(features, check_scale=place is None)
        super().__init__(
            GatedBackbone(gate, backbone, place),
            task=task,
            num_classes=num_classes,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
        )
        self.lr_multiplier = lr_multiplier
        self._next_layers: list[str] | None = None

    @property
    def gate(self) -> FeatureGate:
        """The gate."""
        return self.backbone.gate

    @property
    def scores(self) -> Tensor:
        """Score of each feature, ``(d,)``, detached: w for a softmax gate."""
        return self.gate.scores

    def feature_names(self) -> list[str]:
        """Return the datamodule's names of the inputs or of their groups, else numbered ones.

        Returns:
            One name for each score.
        """
        if self.backbone.place is not None:
            return self.names_of_data("")
        return self.names_of_data("group_names" if self.gate.grouped else "feature_names")

    def effective_scores(self, batch: Any = None) -> Tensor | None:
        """Return ``w_i · ‖W_:,i‖``, with W the weight of the next linear layer or convolution.

        Unlike w it does not change when a factor moves between the gate and that layer.

        Args:
            batch: What :meth:`batch_of` reads, to find that layer with, in a module that was not
                trained; otherwise training has found it, and checkpoints keep its name.

        Returns:
            ``(d,)``, detached; ``None`` if no such layer reads the gate's output directly, or it
            is not known.
        """
        if batch is not None:
            read = self.batch_of(batch, labelled=False)
            self._next_layers = next_layers(self.backbone, read)
        if not self._next_layers:
            return None
        # the weights of all layers that read it, one below the other
        weights = [self.backbone.get_parameter(f"{name}.weight") for name in self._next_layers]
        columns = [weight.transpose(0, 1).flatten(1) for weight in weights]
        return self.gate.effective_scores(torch.cat(columns, dim=1).T)

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return the task loss plus the gate's penalty Ω, and its parts.

        Args:
            batch: What :meth:`batch_of` reads.

        Returns:
            ``loss``, ``task_loss`` and, where the gate has one, ``penalty``.
        """
        batch = self.batch_of(batch)
        if self._next_layers is None and not is_traced(batch.inputs):
            # here, and not in a hook: strategies that shard weights gather them for this step
            self._next_layers = next_layers(self.backbone, batch)
        task_loss = self.task_loss(self.run_backbone(batch), batch.labels)
        penalty = self.gate.penalty()
        if penalty is None:
            return {"loss": task_loss, "task_loss": task_loss}
        return {"loss": task_loss + penalty, "task_loss": task_loss, "penalty": penalty}

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser, with the gate in a group of its own.

        Returns:
            The optimiser.
        """
        of_gate = list(self.gate.parameters())
        apart = {id(parameter) for parameter in of_gate}
        others = [parameter for parameter in self.parameters() if id(parameter) not in apart]
        groups = [{"params": group} for group in (others, of_gate) if group]
        optimizer = self._optimizer(groups)
        if of_gate:
            group = optimizer.param_groups[-1]
            group["lr"] = group["lr"] * self.lr_multiplier
            if "weight_decay" in group:
                group["weight_decay"] = 0.0
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the names of the next layers.

        Args:
            checkpoint: The checkpoint.
        """
        checkpoint["next_layers"] = self._next_layers

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the names of the next layers.

        Args:
            checkpoint: The checkpoint.
        """
        self._next_layers = checkpoint.get("next_layers")
