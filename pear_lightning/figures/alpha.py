"""The figure of a weight that depends on the variance of a loss."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_alpha(
    alpha: Sequence[float],
    loss: Sequence[float],
    variance: Sequence[float | None],
    threshold: float,
    reset: float,
    unit: str,
) -> "Figure":
    """Draw the weight, the loss that it follows and its variance over training.

    Args:
        alpha: The weight after each of T steps.
        loss: The loss of each step.
        variance: Variance of the loss over the window at each step; ``None`` before it is full.
        threshold: Variance below which the loss has settled.
        reset: Variance above which the weight is reset.
        unit: Name of a step, such as ``"epoch"``.

    Returns:
        The figure, which is not registered with ``pyplot`` and needs no closing.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> figure = draw_alpha([1.0, 0.5], [0.3, 0.3], [None, 0.0], 1e-5, 1e-4, "epoch")
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['weight', 'loss', 'variance']
    """
    with plot_extra():
        from matplotlib.figure import Figure
    figure = Figure(figsize=(7, 6), layout="constrained")
    weight, losses, variances = figure.subplots(3, 1, sharex=True)
    steps = range(1, len(alpha) + 1)
    weight.plot(steps, alpha, color=BLUE)
    weight.set(ylabel="weight", ylim=(-0.05, 1.05))
    losses.plot(steps, loss, color=BLUE)
    losses.set(ylabel="loss")
    known = [(step, each) for step, each in zip(steps, variance, strict=True) if each is not None]
    variances.plot([step for step, _ in known], [each for _, each in known], color=BLUE)
    variances.axhline(threshold, color=GREY, linestyle="--")
    variances.axhline(reset, color=GREY, linestyle=":")
    if any(each > 0 for _, each in known):
        variances.set_yscale("log")
    variances.set(ylabel="variance", xlabel=unit)
    return figure
