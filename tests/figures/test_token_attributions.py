import re

import pytest
import torch
from matplotlib.colors import to_hex

from pear_lightning.figures import draw_token_attributions, token_attributions_html
from pear_lightning.figures.style import BLUE, RED
from pear_lightning.figures.tokens import Token

LONG = [Token(word) for word in ("a " * 150).split()]
TEXT = [Token("un"), Token("bear", False), Token("5$"), Token("<b>"), Token("$x$")]
VALUES = {
    "lime": [torch.tensor([4.0, -4.0, 0.0, 2.0, 1.0]), torch.zeros(150)],
    "grad": [torch.tensor([0.0, 0.0, 0.0, 0.0, -1.0]), torch.ones(150)],
}


def test_every_token_is_written_once_for_each_explainer():
    figure = draw_token_attributions([TEXT, LONG], VALUES, ["text 4\nlabel bad", "text 5"])
    written = [text.get_text() for text in figure.axes[0].texts]
    tokens = [token.text for token in TEXT]
    assert written[:2] == ["text 4", "label bad"]
    assert written[2:8] == ["lime", *tokens]
    assert written[8:14] == ["grad", *tokens]
    assert written.count("a") == 300


def test_long_texts_are_broken_into_lines_inside_the_figure():
    figure = draw_token_attributions([TEXT, LONG], VALUES, ["a", "b"], width=4.0)
    figure.canvas.draw()
    window = figure.bbox
    for text in figure.axes[0].texts:
        extent = text.get_window_extent()
        assert window.x0 <= extent.x0 <= extent.x1 <= window.x1
        assert window.y0 <= extent.y0 <= extent.y1 <= window.y1


def test_red_is_above_zero_and_blue_below():
    figure = draw_token_attributions([TEXT, LONG], VALUES, ["a", "b"])
    (boxes,) = figure.axes[0].collections
    colours = [to_hex(colour) for colour in boxes.get_facecolor()[:5]]
    assert colours[:3] == [RED, BLUE, "#ffffff"]
    assert colours[3] == to_hex([(1 + c) / 2 for c in (0xC9 / 255, 0x45 / 255, 0x2C / 255)])


def test_the_page_has_colours_values_and_escaped_text():
    page = token_attributions_html([TEXT, LONG], VALUES, ["<4>\nlabel bad", "b"])
    spans = re.findall(
        r'( ?)<span style="background:(#\w+);color:(\w+)" title="(\S+)">(.*?)</s', page
    )
    assert len(spans) == 2 * (5 + 150)
    assert spans[:3] == [
        (" ", RED, "white", "4", "un"),
        ("", BLUE, "white", "-4", "bear"),
        (" ", "#ffffff", "black", "0", "5$"),
    ]
    assert spans[3][4] == "&lt;b&gt;"
    assert "<h4>&lt;4&gt; <small>label bad</small></h4>" in page


@pytest.mark.parametrize("draw", [draw_token_attributions, token_attributions_html])
def test_another_number_of_attributions_is_refused(draw):
    with pytest.raises(ValueError, match=r"attributions\['lime'\]\[0\] must be \(5,\).*got \(4,\)"):
        draw([TEXT], {"lime": [torch.zeros(4)]}, ["a"])
