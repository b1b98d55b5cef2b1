"""Figures and pages of attributions over the tokens of texts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale, scaled
from pear_lightning.figures.plot_extra import plot_extra
from pear_lightning.figures.style import BLUE, GREY, RED, diverging_colormap, text_colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 0.24  # height of a line in inches
_SIZE = 9.5  # of the font, in points
_DARK_ABOVE = 0.75  # of the scale


class Token(NamedTuple):
    """A token of a text.

    Attributes:
        text: What is shown.
        starts_word: Whether a space precedes it.
    """

    text: str
    starts_word: bool = True


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
        >>> text = [Token("good"), Token("!", starts_word=False)]
        >>> figure = draw_token_attributions([text], {"lime": [torch.tensor([1.0, 0.0])]}, ["1"])
        >>> [each.get_text() for each in figure.axes[0].texts]
        ['1', 'lime', 'good', '!']
    """
    with plot_extra():
        from matplotlib.collections import PolyCollection
        from matplotlib.figure import Figure
    strengths = _strengths(texts, attributions, scale)
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
        ax.text(0.1, y, first, weight="bold", va="center", fontsize=_SIZE)
        if rest:
            ax.text(left, y, rest.replace("\n", ", "), va="center", color=GREY, fontsize=_SIZE)
        y += 0.7 * _LINE
        for name, of_explainer in zip(names, strengths, strict=True):
            ax.text(0.1, y + _LINE / 2, name, va="center", color=GREY, fontsize=_SIZE - 1)
            values = iter(of_explainer[number].tolist())
            for line in block:
                for x, token, token_width in line:
                    value = next(values)
                    ax.text(
                        left + x + token_width / 2,
                        y + _LINE / 2,
                        token,
                        ha="center",
                        va="center",
                        fontsize=_SIZE,
                        color=text_colour(on_dark=abs(value) > _DARK_ABOVE),
                        parse_math=False,
                    )
                    x0, x1, y0, y1 = left + x, left + x + token_width, y + 0.01, y + _LINE - 0.01
                    boxes.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
                    fills.append(colours((value + 1) / 2))
                y += _LINE
            y += 0.35 * _LINE
        y += 0.3 * _LINE
    ax.add_collection(PolyCollection(boxes, facecolors=fills, zorder=0), autolim=False)
    return figure


def token_attributions_html(
    texts: Sequence[Sequence[Token]],
    attributions: Mapping[str, Sequence[Tensor]],
    labels: Sequence[str],
    *,
    scale: Scale = "panel",
) -> str:
    """Return a page of texts whose tokens are coloured by their attributions.

    The attribution of a token is shown when the pointer rests on it. The page needs no other files.

    Args:
        texts: The tokens of B texts.
        attributions: Attributions of the tokens of each text, ``(T,)``, by name of the explainer.
        labels: Text above each text; its first line is bold.
        scale: See :func:`draw_token_attributions`.

    Raises:
        ValueError: If the number of attributions of a text is not that of its tokens.

    Example:
        >>> page = token_attributions_html(
        ...     [[Token("a<b")]], {"lime": [torch.tensor([-0.5])]}, ["text 3"]
        ... )
        >>> '<span style="background:#2a6fb0;color:white" title="-0.5">a&lt;b</span>' in page
        True
    """
    strengths = _strengths(texts, attributions, scale)
    parts = [
        '<!DOCTYPE html><meta charset="utf-8"><style>'
        "body{font:15px/1.7 sans-serif;max-width:60em;margin:1em auto;padding:0 1em}"
        "th{font-weight:normal;color:#777;text-align:right;vertical-align:top;white-space:nowrap;"
        "padding-right:1em}h4{margin:1.2em 0 .2em}h4 small{font-weight:normal;color:#777}"
        "span{padding:.1em 0;border-radius:.15em}</style>"
    ]
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        first, _, rest = label.partition("\n")
        more = f" <small>{escape(rest.replace(chr(10), ', '))}</small>" if rest else ""
        parts.append(f"<h4>{escape(first)}{more}</h4><table>")
        for (name, of_explainer), strength in zip(attributions.items(), strengths, strict=True):
            values = zip(
                text, strength[number].tolist(), of_explainer[number].tolist(), strict=True
            )
            spans = "".join(_span(*each) for each in values)
            parts.append(f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{spans}</td></tr>")
        parts.append("</table>")
    return "\n".join(parts) + "\n"


def _span(token: Token, strength: float, attribution: float) -> str:
    """Return a token as HTML, with its colour, and a space in front if it starts a word."""
    end = torch.tensor([int((RED if strength > 0 else BLUE)[at : at + 2], 16) for at in (1, 3, 5)])
    red, green, blue = (255 + abs(strength) * (end - 255)).round().int().tolist()
    style = f"background:#{red:02x}{green:02x}{blue:02x}"
    style += f";color:{text_colour(on_dark=abs(strength) > _DARK_ABOVE)}"
    space = " " if token.starts_word else ""
    return f'{space}<span style="{style}" title="{attribution:.3g}">{escape(token.text)}</span>'


def _strengths(
    texts: Sequence[Sequence[Token]], attributions: Mapping[str, Sequence[Tensor]], scale: Scale
) -> list[list[Tensor]]:
    """Return scaled attributions of the tokens of each text, for each explainer."""
    longest = max((len(text) for text in texts), default=0)
    padded = []
    for name, each in attributions.items():
        of_texts = torch.zeros(len(texts), longest)
        for row, (text, values) in enumerate(zip(texts, each, strict=True)):
            if values.shape != (len(text),):
                raise ValueError(
                    f"attributions[{name!r}][{row}] must be ({len(text)},), one for each token, "
                    f"got {tuple(values.shape)}"
                )
            of_texts[row, : len(text)] = values.detach().float().cpu()
        padded.append(of_texts)
    return [
        [row[: len(text)] for row, text in zip(of_texts, texts, strict=True)]
        for of_texts in scaled(padded, scale)
    ]


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
