"""Pages of attributions over the tokens of texts."""

from collections.abc import Mapping, Sequence
from html import escape

import torch
from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale
from pear_lightning.figures.style import BLUE, RED, text_colour
from pear_lightning.figures.tokens import DARK_ABOVE, Token, strengths_of_tokens


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
    strengths = strengths_of_tokens(texts, attributions, scale)
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
    style += f";color:{text_colour(on_dark=abs(strength) > DARK_ABOVE)}"
    space = " " if token.starts_word else ""
    return f'{space}<span style="{style}" title="{attribution:.3g}">{escape(token.text)}</span>'
