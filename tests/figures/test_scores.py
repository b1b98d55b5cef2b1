import matplotlib as mpl
import pytest
import torch

from pear_lightning.figures import draw_scores
from pear_lightning.figures.style import PALE_GREY

HISTORY = torch.tensor([[0.2, 0.2, 0.2], [0.1, 0.6, 0.3]])


def test_named_features_have_a_colour_and_a_bar():
    lines, bars = draw_scores(["a", "b", "c"], [0, 4], HISTORY, [1, 2]).axes
    assert [list(line.get_xdata()) for line in lines.lines] == [[0, 4]] * 3
    drawn = torch.stack([torch.as_tensor(line.get_ydata()) for line in lines.lines])
    torch.testing.assert_close(drawn, HISTORY.T[[0, 1, 2]])
    assert lines.lines[0].get_color() == PALE_GREY
    assert len({line.get_color() for line in lines.lines}) == 3
    assert [label.get_text() for label in bars.get_yticklabels()] == ["b", "c"]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([0.6, 0.3])
    assert bars.get_title() == "after epoch 4 (2 largest of 3)"


def test_all_features_may_be_named():
    lines, bars = draw_scores(["a", "b", "c"], [0, 4], HISTORY, [1, 2, 0]).axes
    assert PALE_GREY not in {line.get_color() for line in lines.lines}
    assert bars.get_title() == "after epoch 4 (all features)"


def test_no_window_holds_the_figure():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    draw_scores(["a", "b", "c"], [0, 4], HISTORY, [1])
    assert plt.get_fignums() == before
