"""How much junk stands among the most important features."""

import torch
from torch import Tensor, nn

from benchmarks.pear_tradeoff.protocols import ROWS, TOP_K, paper_protocol
from pear_lightning.explainers import explain


def junk_shares(
    backbone: nn.Module,
    mean: Tensor,
    inputs: Tensor,
    target: Tensor,
    n_real: int,
) -> dict[str, tuple[float, float]]:
    """Return how much junk stands among the five most important features.

    Args:
        backbone: The model.
        mean: Mean of the training rows, ``(n,)``.
        inputs: Rows, of which the first ones are explained, junk in the last columns, ``(N, n)``.
        target: Their classes, ``(N,)``.
        n_real: Number of real features.

    Returns:
        For each explainer the share of rows with junk in the top five, and the share of junk
        among the five.
    """
    explainers = paper_protocol(mean)
    with torch.no_grad():
        attributions = explain(backbone, inputs[:ROWS], target[:ROWS], list(explainers.values()))[1]
    shares = {}
    for name, each in zip(explainers, attributions, strict=True):
        is_junk = each.abs().topk(TOP_K, dim=1).indices >= n_real
        shares[name] = (
            float(is_junk.any(dim=1).float().mean()),
            float(is_junk.float().mean()),
        )
    return shares
