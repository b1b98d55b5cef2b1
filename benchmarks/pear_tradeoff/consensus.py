"""The paper's consensus loss of a trained model."""

import torch
from torch import Tensor, nn

from benchmarks.pear_tradeoff.protocols import ROWS
from pear_lightning.explainers import (
    Gradient,
    IntegratedGradients,
    explain,
)
from pear_lightning.losses import ConsensusLoss


def consensus_of_paper(backbone: nn.Module, mean: Tensor, inputs: Tensor, target: Tensor) -> float:
    """Return the paper's consensus loss (μ = 0.75) of a model, with 20 nodes.

    Args:
        backbone: The model.
        mean: Mean of the training rows, ``(n,)``.
        inputs: Rows, of which the first ones are explained, ``(N, n)``.
        target: Their classes, ``(N,)``.

    Returns:
        C, averaged over the rows.
    """
    inputs, target = inputs[:ROWS], target[:ROWS]
    pair = [Gradient(), IntegratedGradients(20, mean, multiply_by_inputs=False)]
    with torch.no_grad():
        attributions = explain(backbone, inputs, target, pair)[1]
    return float(ConsensusLoss(0.75, normalize="none", strength=0.2)(*attributions))
