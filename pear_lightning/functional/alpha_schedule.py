"""Algorithm 1 of DeepFaith: a weight that falls once a loss has settled."""

import math
from typing import Literal, NamedTuple

AlphaStart = Literal["paper", "continuous"]


class AlphaState(NamedTuple):
    """State of the algorithm after some steps.

    Attributes:
        alpha: α, the weight of the next step.
        settled: CF, whether the loss has settled.
        settled_at: t₀, the step at which it settled.
        step: t, the number of steps so far.
        window: The last e losses, or all if there were fewer.
        variance: σ², the population variance of the last e losses; ``None`` for fewer.
    """

    alpha: float = 1.0
    settled: bool = False
    settled_at: int = 0
    step: int = 0
    window: tuple[float, ...] = ()
    variance: float | None = None


def next_alpha(
    state: AlphaState,
    loss: float,
    *,
    window: int,
    threshold: float,
    factor: float,
    start: AlphaStart = "paper",
) -> AlphaState:
    r"""Return the state after one more step.

    With σ² the variance of the last e losses:

    1. if CF = 0 and σ² < ε: CF = 1, t₀ = t;
    2. if σ² > C ε: CF = 0 and α = 1;
    3. if CF = 1: :math:`α = 1 - 1 / (1 + \exp(-(t - t_0) / C))`.

    Nothing happens before the window is full. C has two roles: the factor of the reset, and the
    time constant of the decay.

    Args:
        state: State after the steps so far.
        loss: Loss of this step.
        window: e, at least 2.
        threshold: ε, above 0.
        factor: C, at least 1.
        start: ``"paper"``: α falls from 1 to 1/2 at once, as printed; ``"continuous"``: twice the
            decay, which begins at 1.

    Example:
        >>> state = AlphaState()
        >>> for loss in (0.5, 0.3, 0.3, 0.3):
        ...     state = next_alpha(state, loss, window=2, threshold=1e-3, factor=10)
        >>> state.settled_at, round(state.alpha, 3)
        (3, 0.475)

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026,
        algorithm 1.
    """
    step = state.step + 1
    losses = (*state.window, float(loss))[-window:]
    alpha, settled, settled_at, variance = state.alpha, state.settled, state.settled_at, None
    if len(losses) == window:
        mean = math.fsum(losses) / window
        variance = math.fsum((each - mean) ** 2 for each in losses) / window
        if not settled and variance < threshold:
            settled, settled_at = True, step
        if variance > factor * threshold:
            settled, alpha = False, 1.0
        if settled:
            decayed = 1 / (1 + math.exp(min((step - settled_at) / factor, 700.0)))
            alpha = decayed if start == "paper" else 2 * decayed
    return AlphaState(alpha, settled, settled_at, step, losses, variance)
