"""How much junk stands among the most important features."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.pear_tradeoff.protocols import TOP_K
from pear_lightning.explainers import (
    Explainer,
    explain,
)


def junk_shares(
    backbone: nn.Module,
    explainers: Mapping[str, Explainer],
    inputs: Tensor,
    target: Tensor,
    n_real: int,
) -> dict[str, tuple[float, float]]:
    """Return how much junk stands among the five most important features.

    Args:
        backbone: The model.
        explainers: Explainers by name.
        inputs: Rows to explain, junk in the last columns, ``(B, n)``.
        target: Their classes, ``(B,)``.
        n_real: Number of real features.

    Returns:
        For each explainer the share of rows with junk in the top five, and the share of junk
        among the five.
    """
    with torch.no_grad():
        attributions = explain(backbone, inputs, target, list(explainers.values()))[1]
    shares = {}
    for name, each in zip(explainers, attributions, strict=True):
        is_junk = each.abs().topk(TOP_K, dim=1).indices >= n_real
        shares[name] = (
            float(is_junk.any(dim=1).float().mean()),
            float(is_junk.float().mean()),
        )
    return shares
