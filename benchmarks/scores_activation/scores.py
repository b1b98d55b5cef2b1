"""What a trained module says about its features."""

import torch
from torch import Tensor, nn

from pear_lightning.modules import DeepLasso, ScoresActivationModule
from pear_lightning.modules.supervised import SupervisedModule
from pear_lightning.scoring import Batch


def scores_of(
    module: SupervisedModule, inputs: Tensor, target: Tensor, groups: list[int]
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
        gradients = module.loss.gradients(module.backbone, Batch(inputs, target))[1].detach()
        return {"scores": _pool(gradients.square().mean(dim=0), groups)}
    first = next(layer for layer in module.backbone.modules() if isinstance(layer, nn.Linear))
    return {"scores": _pool(first.weight.detach().square().sum(dim=0), groups)}


def _pool(squares: Tensor, groups: list[int]) -> Tensor:
    """Root of the sum of squares of each group."""
    sums = torch.zeros(max(groups) + 1)
    return sums.index_add(0, torch.tensor(groups), squares).sqrt()
