"""Figures of attributions over the columns of a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale, scaled
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, BLUE, GREY, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = 2.1  # width in inches
_BAR = 0.23  # height in inches
_HEADER = 0.55  # height of the label above the bars of a sample, in inches


def draw_column_attributions(
    names: Sequence[str],
    attributions: Mapping[str, Tensor],
    labels: Sequence[str],
    *,
    values: Tensor | None = None,
    top: int = 10,
    scale: Scale = "panel",
) -> "Figure":
    """Draw the attributions of table rows as horizontal bars, one panel per explainer.

    The panels of a sample show the same features, those with the largest attributions: the mean of
    the absolute values over the explainers, each divided by its own largest value. Red bars are
    above zero, blue bars below. The number at a bar is the attribution.

    Args:
        names: The n features.
        attributions: Attributions ``(B, n)``, by name of the explainer.
        labels: Text above the bars of each sample; its first line is bold, and the other lines
            follow on the same line.
        values: Values of the features ``(B, n)``, shown after their names; NaN for none. ``None``
            shows no values.
        top: Largest number of features.
        scale: What shares a scale: nothing (``"panel"``), the explanations of a sample
            (``"sample"``), or all samples of an explainer (``"explainer"``).

    Returns:
        The figure, which is not registered with ``pyplot`` and needs no closing.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If the numbers of names and attributions differ.

    Example:
        >>> import torch
        >>> bars = {"gradient": torch.tensor([[0.1, -2.0, 0.5]])}
        >>> figure = draw_column_attributions(["age", "income", "debt"], bars, ["row 7"], top=2)
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['income', 'debt']
    """
    with plot_extra():
        from matplotlib.figure import Figure
    for name, each in attributions.items():
        if each.shape != (len(labels), len(names)):
            raise ValueError(
                f"attributions[{name!r}] must be (B, n) = {(len(labels), len(names))}, got "
                f"{tuple(each.shape)}"
            )
    numbers = [each.detach().float().cpu() for each in attributions.values()]
    lengths = scaled(numbers, scale)
    order = scaled(numbers, "panel").abs().mean(dim=0).argsort(dim=1, descending=True, stable=True)
    shown = order[:, :top]
    rows, bars = shown.shape
    ticks = [_ticks(names, values, row, shown[row].tolist()) for row in range(rows)]
    left = 0.3 + 0.075 * max(len(tick) for of_row in ticks for tick in of_row)
    height = _HEADER + _BAR * bars
    figure_height = rows * height + 0.3
    figure_width = left + _PANEL * len(numbers) + 0.1
    figure = Figure(figsize=(figure_width, figure_height))
    for row in range(rows):
        bottom = figure_height - 0.25 - (row + 1) * height + 0.1
        for column, name in enumerate(attributions):
            ax = figure.add_axes(
                (
                    (left + column * _PANEL) / figure_width,
                    bottom / figure_height,
                    (_PANEL - 0.15) / figure_width,
                    _BAR * bars / figure_height,
                )
            )
            features = shown[row].tolist()
            _draw_bars(
                ax,
                lengths[column, row, features].tolist(),
                numbers[column][row, features].tolist(),
            )
            shown_ticks = ticks[row] if column == 0 else []
            ax.set_yticks(range(bars), shown_ticks, fontsize="small", **AS_IT_IS)
            if row == 0:
                ax.set_title(name.replace("_", " "), fontsize="small", pad=20, **AS_IT_IS)
        first, _, rest = labels[row].partition("\n")
        above = (bottom + _BAR * bars + 0.08) / figure_height
        more = rest.replace("\n", ", ")
        figure.text(
            (left - 0.08) / figure_width, above, first, ha="right", weight="bold", **AS_IT_IS
        )
        figure.text(left / figure_width, above, more, color=GREY, fontsize="small", **AS_IT_IS)
    return figure


def _ticks(
    names: Sequence[str], values: Tensor | None, row: int, features: Sequence[int]
) -> list[str]:
    """Return the names of features with their values in a row."""
    ticks = []
    for feature in features:
        value = float("nan") if values is None else float(values[row, feature])
        shown = "" if value != value else f" = {_number(value, 3)}"
        ticks.append(f"{names[feature]}{shown}")
    return ticks


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}".replace("-", "−")


def _draw_bars(ax: "Axes", lengths: Sequence[float], numbers: Sequence[float]) -> None:
    """Draw bars with lengths between -1 and 1 from top to bottom, and a number at each."""
    places = range(len(lengths))
    ax.barh(places, lengths, height=0.7, color=[RED if each > 0 else BLUE for each in lengths])
    ax.axvline(0, color="black", linewidth=0.6)
    for place, length, number in zip(places, lengths, numbers, strict=True):
        ax.text(
            length + (0.04 if length >= 0 else -0.04),
            place,
            _number(number, 2),
            ha="left" if length >= 0 else "right",
            va="center",
            fontsize="x-small",
            color=GREY,
        )
    ax.set_xlim(-1.45, 1.45)  # leaves room for the numbers
    ax.set_ylim(len(lengths) - 0.4, -0.6)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
