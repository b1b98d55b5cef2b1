"""The Lasso for a batch of samples at once."""

import warnings

import torch
from torch import Tensor

# Added to the diagonal, as a fraction of its largest element, in case columns are dependent.
_RIDGE = 1e-12


def lasso(gram: Tensor, moment: Tensor, alpha: float, *, tolerance: float = 1e-10) -> Tensor:
    r"""Return the coefficients that minimise the Lasso's objective.

    .. math:: \beta = \arg\min_\beta \tfrac12 \beta^\top G \beta - c^\top \beta + \alpha |\beta|_1

    With centred columns X, centred values y and weights w that sum to 1, ``G = X^T diag(w) X``
    and ``c = X^T diag(w) y`` give scikit-learn's ``Lasso(alpha).fit(X, y, sample_weight=w)``.

    An active-set search, which steps all samples together, finds the exact solution. In each step
    the coefficient whose derivative exceeds α most enters the active set, and the equations of the
    active coefficients are solved. If the path to that solution crosses zero, it stops there and
    that coefficient leaves the set. Unlike coordinate descent, the search does not slow down if
    there are about as many features as samples. The coefficient of a constant column is 0.

    Args:
        gram: G, ``(B, n, n)`` or ``(1, n, n)`` shared, float64.
        moment: c, ``(B, n)``, float64.
        alpha: Strength of the penalty, positive.
        tolerance: How far a derivative may exceed α, as a fraction of the largest ``|c|``.

    Returns:
        Coefficients ``(B, n)``, float64, without a graph.

    Example:
        >>> import torch
        >>> gram, moment = torch.eye(2).double()[None], torch.tensor([[3.0, -0.5]]).double()
        >>> lasso(gram, moment, alpha=1.0).round(decimals=6)
        tensor([[2., 0.]], dtype=torch.float64)

    References:
        Lee, Battle, Raina, Ng, *Efficient sparse coding algorithms*, NeurIPS 2006, algorithm 1.
    """
    n_features = moment.shape[1]
    gram, moment = gram.detach().expand(len(moment), -1, -1), moment.detach()
    limit = alpha + tolerance * moment.abs().amax(dim=1)
    coefficients, signs = torch.zeros_like(moment), torch.zeros_like(moment)
    settled = torch.ones_like(limit, dtype=torch.bool)  # at the optimum for these signs
    max_steps = 100 + 20 * n_features
    for _ in range(max_steps):
        descent = moment - (gram @ coefficients[..., None])[..., 0]
        steepest, entering = (descent.abs() * (signs == 0)).max(dim=1, keepdim=True)
        enters = settled[:, None] & (steepest > limit[:, None])
        if settled.all() and not enters.any():
            return coefficients
        new_sign = torch.where(enters, descent.gather(1, entering).sign(), 0)
        signs = signs.scatter_add(1, entering, new_sign)

        goal = _optimum_for_signs(gram, moment, alpha, signs)
        fraction = torch.where(goal * signs < 0, coefficients / (coefficients - goal), torch.inf)
        first, leaving = fraction.min(dim=1, keepdim=True)
        settled = first[:, 0] > 1
        stays = settled[:, None].to(signs)
        coefficients = coefficients + first.clamp(max=1) * (goal - coefficients)
        coefficients = torch.where(settled[:, None], goal, coefficients)
        for values in (coefficients, signs):
            values.scatter_(1, leaving, stays * values.gather(1, leaving))
    warnings.warn(
        f"the Lasso of {n_features} features has not converged after {max_steps} steps; "
        "use more samples than features, a larger alpha, or alpha=0 for least squares",
        stacklevel=2,
    )
    return coefficients


def _optimum_for_signs(gram: Tensor, moment: Tensor, alpha: float, signs: Tensor) -> Tensor:
    """Solve ``G_AA β_A = c_A - α s_A`` on the coefficients A with signs, ``(B, n)``."""
    size = int((signs != 0).sum(dim=1).max())
    member, index = (signs != 0).to(signs).topk(size, dim=1)  # A first, systems of one size
    rows = torch.arange(len(signs), device=signs.device)[:, None, None]
    system = gram[rows, index[:, :, None], index[:, None, :]]
    system = system * member[:, :, None] * member[:, None, :]
    ridge = _RIDGE * gram.diagonal(dim1=-2, dim2=-1).amax(dim=1, keepdim=True)
    system = system + torch.diag_embed(1 - member + ridge)
    right = (moment - alpha * signs).gather(1, index) * member
    solution = torch.linalg.solve(system, right) * member
    return torch.zeros_like(signs).scatter(1, index, solution)
