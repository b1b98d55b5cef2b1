"""Tokens of texts and the strengths of their colours."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pear_lightning.figures.attribution_scale import Scale, scaled

DARK_ABOVE = 0.75
"""Share of the scale above which colours are dark."""


class Token(NamedTuple):
    """A token of a text.

    Attributes:
        text: What is shown.
        starts_word: Whether a space precedes it.
    """

    text: str
    starts_word: bool = True


def strengths_of_tokens(
    texts: Sequence[Sequence[Token]], attributions: Mapping[str, Sequence[Tensor]], scale: Scale
) -> list[list[Tensor]]:
    """Return scaled attributions of the tokens of each text, for each explainer.

    Args:
        texts: The tokens of B texts.
        attributions: Attributions of the tokens of each text, ``(T,)``, by name of the explainer.
        scale: What shares a scale.

    Raises:
        ValueError: If the number of attributions of a text is not that of its tokens.
    """
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
