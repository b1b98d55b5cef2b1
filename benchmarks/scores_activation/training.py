"""Training for the ScoresActivation benchmark: the library's modules in a plain loop."""

from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.scores_activation.settings import Method, Table
from pear_lightning.modules import DeepLasso, ScoresActivationModule
from pear_lightning.modules.base import ExplainedModule
from pear_lightning.nn import MLP, CancelOut, FeatureGate, ScoresActivation, StochasticGates


class Plain(ExplainedModule):
    """A backbone without a gate."""

    def training_loss(self, inputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the task loss."""
        return {"loss": self.task_loss(self(inputs), target)}


def make_module(
    method: Method, table: Table, data: Any, groups: list[int], epochs: int
) -> ExplainedModule:
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


def train(module: ExplainedModule, loader: Any, epochs: int) -> int:
    """Train a module as ``Trainer.fit`` does, without what a Trainer adds around the steps.

    Same batches, optimiser and loss, and so the same weights, which a test holds; four times
    faster for networks of this size.

    Args:
        module: The module.
        loader: Of the training rows.
        epochs: Epochs.

    Returns:
        Number of steps.
    """
    configured: Any = module.configure_optimizers()
    scheduled = isinstance(configured, dict)
    optimizer = configured["optimizer"] if scheduled else configured
    module.train()
    steps = 0
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for inputs, target in loader:
            optimizer.zero_grad()
            module.training_loss(inputs, target)["loss"].backward()
            optimizer.step()
            steps += 1
        if scheduled:
            configured["lr_scheduler"]["scheduler"].step()
    module.eval()
    return steps


def scores_of(
    module: ExplainedModule, inputs: Tensor, target: Tensor, groups: list[int]
) -> dict[str, Tensor]:
    """Return what a trained module says about its features: ``scores`` and, if any, ``effective``.

    Without a gate the score is the norm of the first layer's columns. Deep Lasso's is the root mean
    square of the loss gradient over the training rows, at the weights at the end (its own
    ``scores`` are over the last epoch, at the weights of each step).

    Args:
        module: The trained module.
        inputs: Training rows.
        target: Their target.
        groups: Number of the feature that each column belongs to.
    """
    if isinstance(module, ScoresActivationModule):
        effective = module.effective_scores(inputs)
        assert effective is not None
        return {"scores": module.scores, "effective": effective}
    if isinstance(module, DeepLasso):
        gradients = module.loss_gradients(inputs, target)[1].detach()
        return {"scores": _pool(gradients.square().mean(dim=0), groups)}
    first = next(layer for layer in module.backbone.modules() if isinstance(layer, nn.Linear))
    return {"scores": _pool(first.weight.detach().square().sum(dim=0), groups)}


def _pool(squares: Tensor, groups: list[int]) -> Tensor:
    """Root of the sum of squares of each group."""
    sums = torch.zeros(max(groups) + 1)
    return sums.index_add(0, torch.tensor(groups), squares).sqrt()


@torch.no_grad()
def performance(module: ExplainedModule, inputs: Tensor, target: Tensor) -> float:
    """Return the accuracy, or the coefficient of determination for regression."""
    outputs = module(inputs)
    if module.task == "classification":
        return float((outputs.argmax(dim=1) == target).float().mean())
    error = (outputs.flatten() - target).square().mean()
    return float(1 - error / target.var(correction=0))
