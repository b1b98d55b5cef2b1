"""PEAR's training step the way its authors' code goes about it, for comparison.

Written from a description, not from their code. A forward pass for the task loss; a pass for the
gradient; a pass for the average gradient, its 20 nodes in one batch; each with ``create_graph``.
Data are float64 and the model casts them to float32. The soft rank leaves torch and goes row by
row. The mean of the training data is computed anew at each step.

SciPy's compiled isotonic regression stands in for the just-in-time compiled one of theirs.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

STRENGTH = 0.2


class SoftRankByRow(torch.autograd.Function):
    """Soft ranks of rows ``(N, n)``, one row after another."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Project each row onto the permutahedron."""
        solved = [_rank_row(row) for row in x.detach().cpu().numpy()]
        ctx.rows = [(order, blocks) for _, order, blocks in solved]
        return torch.as_tensor(np.stack([ranks for ranks, _, _ in solved])).to(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Subtract the mean of each block."""
        rows = zip(grad.cpu().numpy(), ctx.rows, strict=True)
        return torch.as_tensor(np.stack([_pull_row(g, *row) for g, row in rows])).to(grad)


def _rank_row(
    row: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(-row)
    values = row[order] / STRENGTH
    fit = isotonic_regression(values - np.arange(len(row), 0, -1), increasing=False)
    ranks = np.empty(len(row))
    ranks[order] = values - fit.x
    return ranks, order, fit.blocks


def _pull_row(
    grad: NDArray[Any], order: NDArray[np.int64], blocks: NDArray[np.int64]
) -> NDArray[np.float64]:
    ordered = grad[order].astype(np.float64)
    means = np.add.reduceat(ordered, blocks[:-1]) / np.diff(blocks)
    result = np.empty_like(ordered)
    result[order] = (ordered - np.repeat(means, np.diff(blocks))) / STRENGTH
    return result


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlation of rows, without care for constant ones."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.square().sum(1).sqrt() * b.square().sum(1).sqrt())


def input_gradient(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """Gradient of the target's logit, with the graph kept."""
    inputs.requires_grad_()
    score = model(inputs.float()).gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(score, inputs, create_graph=True)
    return gradient


def average_gradient(
    model: nn.Module, inputs: Tensor, target: Tensor, train_inputs: Tensor, n_steps: int
) -> Tensor:
    """Average gradient on the way from the training mean, all nodes in one batch."""
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    baseline = train_inputs.mean(0, keepdim=True)
    points = torch.cat([baseline + (t + 1) / 2 * (inputs - baseline) for t in nodes]).detach()
    gradients = input_gradient(model, points, target.repeat(n_steps))
    shares = torch.as_tensor(weights / 2).to(gradients)
    return torch.einsum("k,kbn->bn", shares, gradients.unflatten(0, (n_steps, len(inputs))))


def training_loss(
    model: nn.Module,
    inputs: Tensor,
    target: Tensor,
    train_inputs: Tensor,
    *,
    consensus_weight: float = 0.5,
    spearman_weight: float = 0.5,
    n_steps: int = 20,
) -> Tensor:
    """Loss of a batch.

    Args:
        model: Network, float32.
        inputs: Rows ``(B, n)``, float64.
        target: Classes, ``(B,)``.
        train_inputs: All training rows ``(N, n)``, float64.
        consensus_weight: λ.
        spearman_weight: μ.
        n_steps: Nodes of the integral.

    Returns:
        Scalar.
    """
    task_loss = F.cross_entropy(model(inputs.float()), target)
    gradient = input_gradient(model, inputs.detach().clone(), target)
    average = average_gradient(model, inputs, target, train_inputs, n_steps)
    one: Tensor = SoftRankByRow.apply(gradient.abs())  # type: ignore[no-untyped-call]
    other: Tensor = SoftRankByRow.apply(average.abs())  # type: ignore[no-untyped-call]
    spearman = (1 - pearson(one, other).mean()) / 2
    linear = (1 - pearson(gradient, average).mean()) / 2
    consensus = spearman_weight * spearman + (1 - spearman_weight) * linear
    return (1 - consensus_weight) * task_loss + consensus_weight * consensus
