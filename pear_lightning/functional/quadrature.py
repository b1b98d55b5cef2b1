"""Nodes and weights for integrals over the unit interval."""

from typing import Literal

import numpy as np

QuadratureName = Literal["gauss_legendre", "riemann_midpoint", "riemann_left", "riemann_right"]

_RIEMANN_OFFSET = {"riemann_left": 0.0, "riemann_midpoint": 0.5, "riemann_right": 1.0}


def quadrature(n_nodes: int, method: QuadratureName) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes and weights with ``∫_0^1 h(t) dt ≈ Σ_k w_k h(t_k)``.

    Args:
        n_nodes: Number of nodes K, at least 1.
        method: ``"gauss_legendre"`` is exact for polynomials up to degree ``2K - 1``; the
            Riemann sums take the left end, the middle or the right end of K equal parts.

    Returns:
        K nodes in [0, 1] and K weights that sum to 1.

    Raises:
        ValueError: If ``n_nodes < 1`` or the method is not known.

    Example:
        >>> nodes, weights = quadrature(2, "gauss_legendre")
        >>> round(sum(w * t**3 for t, w in zip(nodes, weights)), 12)  # the integral of t^3 is 1/4
        0.25
    """
    if n_nodes < 1:
        raise ValueError(f"n_nodes must be at least 1, got {n_nodes}")
    if method != "gauss_legendre" and method not in _RIEMANN_OFFSET:
        known = ["gauss_legendre", *_RIEMANN_OFFSET]
        raise ValueError(f"quadrature must be one of {known}, got {method!r}")
    if method == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        return tuple(((nodes + 1) / 2).tolist()), tuple((weights / 2).tolist())
    offset = _RIEMANN_OFFSET[method]
    return tuple((k + offset) / n_nodes for k in range(n_nodes)), (1 / n_nodes,) * n_nodes
