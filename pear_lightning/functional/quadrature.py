"""Nodes and weights for integrals over the unit interval."""

from typing import Literal

import numpy as np

QuadratureName = Literal["gauss_legendre", "riemann_midpoint", "riemann_left", "riemann_right"]

_RIEMANN_OFFSET = {"riemann_left": 0.0, "riemann_midpoint": 0.5, "riemann_right": 1.0}


def quadrature_rule(
    n_steps: int, quadrature: QuadratureName
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return nodes and weights with ``∫_0^1 h(t) dt ≈ Σ_k w_k h(t_k)``.

    Args:
        n_steps: Number of nodes K, at least 1.
        quadrature: ``"gauss_legendre"`` is exact for polynomials up to degree ``2K - 1``; the
            Riemann sums take the left end, the middle or the right end of K equal parts.

    Returns:
        K nodes in [0, 1] and K weights that sum to 1.

    Raises:
        ValueError: If ``n_steps < 1`` or the rule is not known.

    Example:
        >>> nodes, weights = quadrature_rule(2, "gauss_legendre")
        >>> round(sum(w * t**3 for t, w in zip(nodes, weights)), 12)  # the integral of t^3 is 1/4
        0.25
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    if quadrature != "gauss_legendre" and quadrature not in _RIEMANN_OFFSET:
        known = ["gauss_legendre", *_RIEMANN_OFFSET]
        raise ValueError(f"quadrature must be one of {known}, got {quadrature!r}")
    if quadrature == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        return tuple(((nodes + 1) / 2).tolist()), tuple((weights / 2).tolist())
    offset = _RIEMANN_OFFSET[quadrature]
    return tuple((k + offset) / n_steps for k in range(n_steps)), (1 / n_steps,) * n_steps
