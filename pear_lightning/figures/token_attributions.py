"""Figures of attributions over the tokens of texts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import AS_IT_IS, GREY, diverging_colormap, text_colour
from pear_lightning.figures.tokens import DARK_ABOVE, Token, strengths_of_tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 0.24  # height of a line in inches
_SIZE = 9.5  # of the font, in points


def draw_token_attributions(
    texts: Sequence[Sequence[Token]],
    attributions: Mapping[str, Sequence[Tensor]],
    labels: Sequence[str],
    *,
    scale: Scale = "panel",
    width: float = 8.0,
) -> "Figure":
    """Draw texts whose tokens are coloured by their attributions, once for each explainer.

    Red tokens have attributions above zero, blue tokens below zero.

    Args:
        texts: The tokens of B texts.
        attributions: Attributions of the tokens of each text, ``(T,)``, by name of the explainer.
        labels: Text above each text; its first line is bold.
        scale: What shares a scale: nothing (``"panel"``), the explanations of a text
            (``"sample"``), or all texts of an explainer (``"explainer"``).
        width: Width of the figure in inches.

    Returns:
        The figure, which is not registered with ``pyplot`` and needs no closing.

    Raises:
        ImportError: If matplotlib is missing.
        ValueError: If the number of attributions of a text is not that of its tokens.

    Example:
        >>> import torch
        >>> text = [Token("good"), Token("!", starts_word=False)]
        >>> figure = draw_token_attributions([text], {"lime": [torch.tensor([1.0, 0.0])]}, ["1"])
        >>> [each.get_text() for each in figure.axes[0].texts]
        ['1', 'lime', 'good', '!']
    """
    with plot_extra():
        from matplotlib.collections import PolyCollection
        from matplotlib.figure import Figure
    strengths = strengths_of_tokens(texts, attributions, scale)
    names = [name.replace("_", " ") for name in attributions]
    left = 0.25 + max(_width_of(name) for name in names)
    blocks = [_lines_of(text, width - left - 0.15) for text in texts]
    lines = sum(1.6 + len(names) * (len(block) + 0.35) for block in blocks)
    height = lines * _LINE + 0.2
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    colours = diverging_colormap()
    boxes: list[list[tuple[float, float]]] = []
    fills: list[tuple[float, ...]] = []
    y = 0.12
    for number, (label, block) in enumerate(zip(labels, blocks, strict=True)):
        first, _, rest = label.partition("\n")
        y += 0.6 * _LINE
        style: dict[str, Any] = {"va": "center", "fontsize": _SIZE, **AS_IT_IS}
        ax.text(0.1, y, first, weight="bold", **style)
        if rest:
            ax.text(left, y, rest.replace("\n", ", "), color=GREY, **style)
        y += 0.7 * _LINE
        for name, of_explainer in zip(names, strengths, strict=True):
            ax.text(0.1, y + _LINE / 2, name, color=GREY, **{**style, "fontsize": _SIZE - 1})
            values = iter(of_explainer[number].tolist())
            for line in block:
                for x, token, token_width in line:
                    value = next(values)
                    ax.text(
                        left + x + token_width / 2,
                        y + _LINE / 2,
                        token,
                        ha="center",
                        color=text_colour(on_dark=abs(value) > DARK_ABOVE),
                        **style,
                    )
                    x0, x1, y0, y1 = left + x, left + x + token_width, y + 0.01, y + _LINE - 0.01
                    boxes.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
                    fills.append(colours((value + 1) / 2))
                y += _LINE
            y += 0.35 * _LINE
        y += 0.3 * _LINE
    ax.add_collection(PolyCollection(boxes, facecolors=fills, zorder=0), autolim=False)
    return figure


def _lines_of(text: Sequence[Token], width: float) -> list[list[tuple[float, str, float]]]:
    """Break a text into lines of ``(x, token, width)``, in inches."""
    lines: list[list[tuple[float, str, float]]] = [[]]
    x = 0.0
    for token in text:
        token_width = _width_of(token.text) + 0.03
        x += 0.05 if token.starts_word and lines[-1] else 0.0
        if x + token_width > width and lines[-1]:
            lines.append([])
            x = 0.0
        lines[-1].append((x, token.text, token_width))
        x += token_width
    return lines


@lru_cache(maxsize=4096)
def _width_of(text: str) -> float:
    """Return the width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=_SIZE), ismath=False
    )
    return float(width) / 72
