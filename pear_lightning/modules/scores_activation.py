"""ScoresActivation: feature scores learned together with the task."""

from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn

from pear_lightning.functional.validation import is_traced
from pear_lightning.modules.base import adamw
from pear_lightning.modules.scored_module import ScoredModule, in_features_of
from pear_lightning.modules.supervised import Task
from pear_lightning.nn import FeatureGate, GatedBackbone, ScoresActivation
from pear_lightning.nn.gated_backbone import named_module
from pear_lightning.nn.next_layers import next_layers


class ScoresActivationModule(ScoredModule):
    r"""Train a backbone together with a gate that scores its input features.

    .. math:: L = \frac1B \sum_k \ell\left(f(w \odot x_k), y_k\right) + \Omega(w)

    The gate is :class:`~pear_lightning.nn.ScoresActivation`, ``w = softmax(s)``, with no penalty Ω,
    or any other :class:`~pear_lightning.nn.FeatureGate`. The scores are available when training
    ends, without further passes through the model. They are not the importance of a feature, not
    comparable between different numbers of features, and no explanation of a single row; see the
    gate. Standardise the inputs.

    Args:
        backbone: Any module f that maps inputs ``(B, *S)`` to logits ``(B, C)``; for regression, to
            ``(B, 1)`` or ``(B,)``.
        gate: The gate. ``None`` is ``ScoresActivation(n)``, where n is the ``in_features`` of the
            backbone, or of the module at ``place``.
        place: Name of the module in the backbone whose input is gated; the scores then refer to the
            features of that input. ``None`` gates the inputs of the backbone.
        lr_multiplier: Ratio of the learning rates of gate and backbone, above 0. The gradient of a
            softmax gate is of order 1/d (d features), so at the same rate the gate lags behind the
            backbone. In ``benchmarks/scores_activation``, 10 agrees better with mean absolute
            SHAP values of the same model (Spearman .93 to .95) than 1 does (.89 to .91), and
            ``ScoresActivation(n, rescale=0.5)`` with 30 and a weight decay of 1 finds more of the
            relevant features. :class:`~pear_lightning.nn.StochasticGates` are better with 1.
        task: ``"classification"`` or ``"regression"``.
        num_classes: Number of classes C.
        optimizer: Callable from parameters to an optimiser that takes parameter groups. The gate
            has its own group, without weight decay, which would pull the scores together. A
            scheduler that sets absolute rates, such as ``OneCycleLR``, needs one rate per group.
        lr_scheduler: Callable from the optimiser to a scheduler.

    Raises:
        ValueError: If a value is out of range, or there is neither a gate nor ``in_features``.

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
        Only the formula of the gate is from the paper: see
        :class:`~pear_lightning.nn.ScoresActivation`. The paper does not give learning rates,
        optimiser or place of the gate.
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
            features = in_features_of(backbone if place is None else named_module(backbone, place))
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
        """Score of each feature, ``(d,)``, detached; w for a softmax gate."""
        return self.gate.scores

    def feature_names(self) -> list[str]:
        """Return one name per score: the datamodule's names of inputs or groups, or numbered names.

        Numbered names are used for a gate at ``place``.
        """
        if self.backbone.place is not None:
            return self.names_of_data("")
        return self.names_of_data("group_names" if self.gate.grouped else "feature_names")

    def effective_scores(self, batch: Any = None) -> Tensor | None:
        """Return ``w_i · ‖W_:,i‖``, where W is the weight of the next linear layer or convolution.

        Unlike w, it does not change if a factor is moved between the gate and that layer.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads, used to find that layer. Only
                needed for an untrained module: training finds the layer, and checkpoints store its
                name.

        Returns:
            ``(d,)``, detached; ``None`` if no such layer reads the output of the gate directly, or
            the layer is unknown.
        """
        if batch is not None:
            read = self.batch_of(batch, labelled=False)
            self._next_layers = next_layers(self.backbone, read)
        if not self._next_layers:
            return None
        # the weights of all layers that read the gate's output, stacked along their outputs
        weights = [self.backbone.get_parameter(f"{name}.weight") for name in self._next_layers]
        columns = [weight.transpose(0, 1).flatten(1) for weight in weights]
        return self.gate.effective_scores(torch.cat(columns, dim=1).T)

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return the sum of the task loss and the gate's penalty Ω, and its parts.

        Args:
            batch: A batch in any form that :meth:`batch_of` reads.

        Returns:
            ``loss``, ``task_loss`` and, if the gate has a penalty, ``penalty``.
        """
        batch = self.batch_of(batch)
        if self._next_layers is None and not is_traced(batch.inputs):
            # not in a hook, because strategies that shard weights gather them for this step
            self._next_layers = next_layers(self.backbone, batch)
        task_loss = self.task_loss(self.run_backbone(batch), batch.labels)
        penalty = self.gate.penalty()
        if penalty is None:
            return {"loss": task_loss, "task_loss": task_loss}
        return {"loss": task_loss + penalty, "task_loss": task_loss, "penalty": penalty}

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser, with the gate in a separate parameter group."""
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
        """Save the names of the next layers.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_save_checkpoint(checkpoint)
        checkpoint["next_layers"] = self._next_layers

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the names of the next layers.

        Args:
            checkpoint: The checkpoint.
        """
        super().on_load_checkpoint(checkpoint)
        self._next_layers = checkpoint.get("next_layers")
