"""The figure of feature scores over training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, COLORMAP, PALE_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_scores(
    names: Sequence[str], epochs: Sequence[int], history: Tensor, named: Sequence[int]
) -> "Figure":
    """Draw scores as lines over the epochs, and the last ones as bars.

    Args:
        names: The n features.
        epochs: Epoch of each of the T readings.
        history: Scores at each reading, ``(T, n)``.
        named: Positions of the features that get a colour and a bar, from top to bottom; the lines
            of the others are grey.

    Returns:
        The figure, which is not registered with ``pyplot`` and needs no closing.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> import torch
        >>> history = torch.tensor([[0.5, 0.5, 0.0], [0.7, 0.2, 0.1]])
        >>> lines, bars = draw_scores(["age", "sex", "height"], [0, 1], history, [0, 1]).axes
        >>> bars.get_title()
        'after epoch 1 (2 largest of 3)'
    """
    with plot_extra():
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    colours = colormaps[COLORMAP]
    figure = Figure(figsize=(11, 1.5 + 0.28 * len(named)), layout="constrained")
    lines, bars = figure.subplots(1, 2)
    others = [feature for feature in range(history.shape[1]) if feature not in named]
    for feature in others:
        lines.plot(epochs, history[:, feature], color=PALE_GREY, linewidth=0.8)
    for place, feature in enumerate(named):
        colour = colours(0.9 * place / len(named))  # the light end is hard to see on white
        lines.plot(epochs, history[:, feature], color=colour)
        bars.barh(place, history[-1, feature].item(), color=colour)
    lines.set(xlabel="epoch", ylabel="score", title="scores over training")
    bars.set_yticks(range(len(named)), [names[feature] for feature in named], **AS_IT_IS)
    bars.invert_yaxis()
    shown = f"{len(named)} largest of {history.shape[1]}" if others else "all features"
    bars.set(xlabel="score", title=f"after epoch {epochs[-1]} ({shown})")
    return figure
