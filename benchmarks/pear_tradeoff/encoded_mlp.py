"""A stronger network for tables than the paper's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pear_lightning.nn import MLP


class PiecewiseLinearEncoding(nn.Module):
    """Encodes each feature by how far it has passed through each interval between quantiles.

    The first and the last interval go on linearly.

    Shapes:
        - inputs: ``(B, n)``
        - output: ``(B, n * bins)``

    Args:
        rows: Training rows, ``(N, n)``.
        bins: Number of intervals of a feature.

    References:
        Gorishniy, Rubachev, Babenko, *On Embeddings for Numerical Features in Tabular Deep
        Learning*, NeurIPS 2022, arXiv 2203.05556, section 3.2.
    """

    low: Tensor
    width: Tensor
    bounds: Tensor

    def __init__(self, rows: Tensor, bins: int = 64) -> None:
        super().__init__()
        edges = torch.stack([_edges(column, bins) for column in rows.T])
        self.register_buffer("low", edges[:, :-1])
        self.register_buffer("width", edges.diff(dim=1))
        bounds = torch.tensor([0.0, 1.0])[:, None].repeat(1, bins)
        bounds[0, 0], bounds[1, -1] = -torch.inf, torch.inf
        self.register_buffer("bounds", bounds)
        self.out_features = rows.shape[1] * bins

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the encoding ``(B, n * bins)`` of rows ``(B, n)``."""
        passed = (inputs[..., None] - self.low) / self.width
        return torch.maximum(torch.minimum(passed, self.bounds[1]), self.bounds[0]).flatten(1)


class EncodedMLP(nn.Sequential):
    """A multilayer perceptron on piecewise linear encodings of the features.

    Shapes:
        - inputs: ``(B, n)``
        - logits: ``(B, 2)``

    Args:
        rows: Training rows, ``(N, n)``.
        hidden: Width of each hidden layer.
    """

    def __init__(self, rows: Tensor, hidden: Sequence[int]) -> None:
        encoding = PiecewiseLinearEncoding(rows)
        super().__init__(encoding, MLP(encoding.out_features, hidden_features=hidden))


def _edges(column: Tensor, bins: int) -> Tensor:
    """Return ``bins + 1`` different quantiles; the widest intervals are halved where some tie."""
    edges = torch.quantile(column, torch.linspace(0, 1, bins + 1)).unique()
    while len(edges) < bins + 1:
        widest = int(edges.diff().argmax())
        edges = torch.cat([edges, edges[widest : widest + 2].mean()[None]]).sort().values
    return edges
