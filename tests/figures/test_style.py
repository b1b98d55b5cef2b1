"""Names and labels of the user are drawn as they are in every figure."""

import io

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from pear_lightning import figures
from pear_lightning.figures.tokens import Token

NAMES = ["income=$60K - $80K", "fee=$^$", "plain"]
LABEL = "cost $^$\nlabel $5_$"
VALUES = torch.tensor([[0.3, -0.2, 0.1]])


def panels(n):
    return Figure(layout="constrained").subplots(1, n, squeeze=False, sharey=True)[0]


FIGURES = {
    "draw_agreement": lambda draw: draw(NAMES, torch.eye(3), LABEL, ax=panels(1)[0])[0],
    "draw_column_attributions": lambda draw: draw(NAMES, {"$^$": VALUES}, [LABEL]),
    "draw_image_attributions": lambda draw: draw(
        torch.rand(1, 1, 4, 4), {"$^$": torch.ones(1, 4, 4)}, [LABEL]
    ),
    "draw_ranking": lambda draw: draw(
        NAMES, VALUES[0], VALUES.expand(2, 3).T, VALUES.expand(2, 3), ["$^$", "b"], "", panels(2)
    )[0],
    "draw_scores": lambda draw: draw(NAMES, [0, 1], VALUES.expand(2, 3), [0, 1, 2]),
    "draw_token_attributions": lambda draw: draw(
        [[Token(name) for name in NAMES]], {"$^$": [VALUES[0]]}, [LABEL]
    ),
}


def test_every_figure_with_names_is_tested_here():
    drawn = {name for name in figures.__all__ if name.startswith("draw_")}
    assert drawn - {"draw_alpha"} == set(FIGURES)  # which has no names


@pytest.mark.parametrize("name", FIGURES)
def test_dollar_signs_are_no_formulas(name):
    figure = FIGURES[name](getattr(figures, name))
    figure.savefig(io.BytesIO())  # raises for a formula that cannot be parsed
    shown = [each for each in figure.findobj(Text) if each.get_visible()]
    with_signs = [each for each in shown if "$" in each.get_text()]
    assert len(with_signs) >= 2
    assert not any(each.get_parse_math() for each in with_signs)
