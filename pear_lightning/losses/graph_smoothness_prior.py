"""The graph prior: connected features should have similar importance."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import torch
from torch import Tensor
from typing_extensions import override

from pear_lightning.explainers import ExpectedGradients, Explainer
from pear_lightning.functional.validation import (
    at_least_float32,
    check_attributions,
    check_choice,
)
from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.mean_over_ranks import mean_over_ranks
from pear_lightning.scoring.outputs import OutputFunction, OutputName

Over = Literal["batch", "samples"]


class GraphSmoothnessPrior(AttributionLoss):
    r"""Difference in importance between features that are neighbours in a graph.

    .. math:: R = v^\top L v = \sum_{\{i, j\} \in E} w_{ij} (v_i - v_j)^2, \qquad
              v = \frac{1}{N} \sum_n |\phi(x_n)|, \qquad L = D - W

    The graph encodes knowledge about the features: interacting proteins, neighbouring sensors,
    columns computed from one another. W holds the weights of its edges, D is the diagonal matrix of
    their sums at each feature, and L is the graph's Laplacian. Features without edges do not
    contribute.

    With v the mean over the batch, as here and in the paper, R is a property of the batch and not
    a mean over its rows; in training on several devices, v is averaged over all of them. With
    gradient accumulation, R is the mean of the values of the micro-batches, which is at least that
    of the whole batch. ``over="samples"`` is stricter and makes the explanation of every sample
    smooth: it is the mean over n of :math:`|\phi(x_n)|^\top L |\phi(x_n)|`, which is never less.

    R grows with the square of the attributions, so it also decreases if all of them shrink.

    Args:
        edges: Pairs of features, ``(E, 2)``, as positions in a flattened sample; each edge once, in
            either direction. :meth:`from_adjacency` takes a matrix.
        weights: Weights of the edges, ``(E,)``, at least 0; ``None`` means 1 for each.
        over: Whether the mean importance over the ``"batch"`` is made smooth, or the importance in
            each of its ``"samples"``.
        explainers: Explainers by name; ``None`` means expected gradients with one draw and a
            background of training rows, as in the paper. R is averaged over them.
        output: Scalar that is explained.

    Raises:
        ValueError: If an edge is not a pair of different features, or is repeated, a weight is
            negative or not finite, or a name is unknown; when called, if attributions lack a
            feature of the graph or hold NaN or Inf.

    Shapes:
        - attributions: ``(B, *S)``, flattened to ``(B, n)``
        - output: a scalar, float32 or better

    Example:
        >>> prior = GraphSmoothnessPrior([(0, 1), (1, 2)], weights=[1.0, 0.5])
        >>> prior(torch.tensor([[2.0, -2.0, 0.0]])).item()  # signs do not matter
        2.0

    References:
        Erion, Janizek, Sturmfels, Lundberg, Lee, *Improving performance of deep learning models
        with axiomatic attribution priors and expected gradients*, Nature Machine Intelligence 2021,
        arXiv 1906.10670. The absolute values in v and the unnormalised L follow the authors'
        notebook.

    Deviations from the paper:
        The penalty is part of the objective from the start, or from the step at which its weight is
        switched on; the authors' notebook first trains without it, and then alternates steps on
        the two losses. ``over="samples"`` is an extension.
    """

    edges: Tensor
    weights: Tensor

    def __init__(
        self,
        edges: Sequence[tuple[int, int]] | Tensor,
        weights: Sequence[float] | Tensor | None = None,
        *,
        over: Over = "batch",
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction = "centered_logit",
    ) -> None:
        check_choice("over", over, ("batch", "samples"))
        super().__init__(explainers, output)
        pairs = _checked_edges(edges)
        self._last_feature = int(pairs.max())
        # not in the state dict: these are settings, and only need to follow the loss's device
        self.register_buffer("edges", pairs, persistent=False)
        self.register_buffer("weights", _checked_weights(weights, len(pairs)), persistent=False)
        self.over: Over = over

    @classmethod
    def from_adjacency(
        cls,
        adjacency: Tensor,
        *,
        over: Over = "batch",
        explainers: Mapping[str, Explainer] | Sequence[Explainer] | None = None,
        output: OutputName | OutputFunction = "centered_logit",
    ) -> Self:
        """Return the prior of a graph given by its adjacency matrix.

        Args:
            adjacency: W, ``(n, n)``: symmetric, at least 0, and 0 where there is no edge. The
                diagonal is ignored.
            over: See the class.
            explainers: See the class.
            output: See the class.

        Raises:
            ValueError: If the matrix is not square, not symmetric or without edges, or holds
                negative, infinite or NaN values.

        Example:
            >>> chain = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 0.0]])
            >>> GraphSmoothnessPrior.from_adjacency(chain).edges.tolist()
            [[0, 1], [1, 2]]
        """
        if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
            raise ValueError(
                f"adjacency must be a square matrix (n, n), got {tuple(adjacency.shape)}"
            )
        matrix = adjacency.detach().to_dense()
        uneven = (~matrix.isclose(matrix.T, equal_nan=True)).nonzero()  # NaN is refused below
        if len(uneven):
            row, column = uneven[0].tolist()
            raise ValueError(
                f"adjacency must be symmetric, got {matrix[row, column].item():.6g} at "
                f"({row}, {column}) and {matrix[column, row].item():.6g} at ({column}, {row}); "
                "use (W + W.T) / 2 for a directed graph"
            )
        edges = matrix.triu(diagonal=1).nonzero()
        weights = matrix[edges[:, 0], edges[:, 1]]
        return cls(edges, weights, over=over, explainers=explainers, output=output)

    @property
    @override
    def couples_rows(self) -> bool:
        """Whether the importance of a feature is a mean over the batch."""
        return self.over == "batch"

    def default_explainers(self) -> dict[str, Explainer]:
        """Return expected gradients with one draw."""
        return {"expected_gradients": ExpectedGradients(1)}

    def forward(self, *attributions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar.

        Args:
            *attributions: Attributions of each explainer, ``(B, *S)``.
            mask: Not used.

        Raises:
            ValueError: If a feature of the graph is missing, or attributions hold NaN or Inf.
        """
        return torch.stack([self._roughness(each) for each in attributions]).mean()

    def _roughness(self, attributions: Tensor) -> Tensor:
        check_attributions("attributions", attributions)
        importance = at_least_float32(attributions).flatten(1).abs()
        if self._last_feature >= importance.shape[1]:
            raise ValueError(
                f"edges must name features 0 to {importance.shape[1] - 1} of attributions "
                f"{tuple(attributions.shape)}, got feature {self._last_feature}"
            )
        if self.over == "batch":
            importance = mean_over_ranks(importance.mean(dim=0), self.ranks)
        one, other = self.edges.to(importance.device).unbind(dim=1)
        differences = importance[..., one] - importance[..., other]
        weights = self.weights.to(importance)
        return (weights * differences.square()).sum(dim=-1).mean()

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"n_edges={len(self.edges)}, over={self.over!r}, output={self.output!r}"


def _checked_edges(edges: Sequence[tuple[int, int]] | Tensor) -> Tensor:
    """Return checked edges, ``(E, 2)`` long."""
    pairs = torch.as_tensor(edges).detach()
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(
            f"edges must be one pair of features or more, (E, 2), got {tuple(pairs.shape)}"
        )
    if pairs.is_floating_point() or pairs.dtype == torch.bool or bool((pairs < 0).any()):
        raise ValueError(
            "edges must hold positions of features, integers from 0 on, got "
            f"{pairs.dtype} from {pairs.min().item()}"
        )
    pairs = pairs.long()
    loops = pairs[pairs[:, 0] == pairs[:, 1]]
    if len(loops):
        raise ValueError(
            f"edges must connect different features, got {tuple(loops[0].tolist())}; leave out "
            "loops, which add nothing to a Laplacian"
        )
    unique, counts = pairs.sort(dim=1).values.unique(dim=0, return_counts=True)
    twice = unique[counts > 1]
    if len(twice):
        raise ValueError(
            f"edges must name each pair once, in either direction, got {tuple(twice[0].tolist())} "
            "more than once; add up the weights"
        )
    return pairs


def _checked_weights(weights: Sequence[float] | Tensor | None, n_edges: int) -> Tensor:
    """Return checked weights, ``(E,)`` float32."""
    if weights is None:
        return torch.ones(n_edges)
    values = torch.as_tensor(weights, dtype=torch.float32).detach().clone()
    if values.shape != (n_edges,):
        raise ValueError(
            f"weights must hold one number for each edge, ({n_edges},), got {tuple(values.shape)}"
        )
    wrong = values[~(values.isfinite() & (values >= 0))]
    if len(wrong):
        raise ValueError(f"weights must be at least 0 and finite, got {wrong[0].item():.6g}")
    return values
