"""The module of a method, not trained yet."""

from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.methods import Method
from benchmarks.scores_activation.table_settings import Table
from pear_lightning.modules import DeepLasso, ScoresActivationModule
from pear_lightning.modules.supervised import SupervisedModule
from pear_lightning.nn import MLP, CancelOut, FeatureGate, ScoresActivation, StochasticGates


class Plain(SupervisedModule):
    """A backbone without a gate."""

    def training_loss(self, batch: Any) -> dict[str, Tensor]:
        """Return the task loss."""
        batch = self.batch_of(batch)
        return {"loss": self.task_loss(self.run_backbone(batch), batch.labels)}


def make_module(
    method: Method, table: Table, data: Any, groups: list[int], epochs: int
) -> SupervisedModule:
    """Return the module of a method, not trained yet.

    Args:
        method: How the model is trained.
        table: For the hidden layers.
        data: For the classes.
        groups: Number of the feature that each column of the inputs belongs to.
        epochs: Epochs, for the schedule.
    """
    backbone = MLP(len(groups), data.num_classes, table.hidden)
    options: dict[str, Any] = {"task": data.task, "optimizer": _adam(method.weight_decay)}
    if method.cosine:
        options["lr_scheduler"] = _cosine(epochs)
    if data.task == "classification":
        options["num_classes"] = data.num_classes
    if method.kind == "none":
        return Plain(backbone, **options)
    if method.kind == "deep_lasso":
        return DeepLasso(backbone, **method.options, **options)
    gates: dict[str, Any] = {
        "softmax": ScoresActivation,
        "cancel_out": CancelOut,
        "stg": StochasticGates,
    }
    grouped = groups if max(groups) + 1 < len(groups) else None
    # columns of rare words look unstandardised; numbers are standardised
    gate: FeatureGate = gates[method.kind](
        len(groups), groups=grouped, check_scale=False, **method.options
    )
    return ScoresActivationModule(backbone, gate, lr_multiplier=method.lr_multiplier, **options)


def _adam(weight_decay: float) -> Any:
    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        # with no decay AdamW is Adam; fused is one call instead of many small ones
        return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=weight_decay, fused=True)

    return optimizer


def _cosine(epochs: int) -> Any:
    def schedule(optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    return schedule
