import pytest
import torch
from matplotlib.figure import Figure

from pear_lightning.figures import draw_ranking
from pear_lightning.figures.style import BLUE, GREY


def test_rows_are_explainers_with_controls_in_grey():
    axes = Figure().subplots(1, 2)
    ranks = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.5, 1.5]])
    interval = torch.tensor([[1.0, 1.5], [1.5, 2.0]])
    figure, (left, right) = draw_ranking(
        ["lime", "random"],
        torch.tensor([1.2, 1.8]),
        interval,
        ranks,
        ["DEL↓", "INS↑", "FC↑"],
        "95 % interval over 10 samples",
        axes,
        controls=["random"],
    )
    assert figure is axes[0].figure
    assert [label.get_text() for label in left.get_yticklabels()] == ["lime", "random"]
    assert [label.get_color() for label in left.get_yticklabels()] == ["black", GREY]
    bars, means = left.lines[::2], left.lines[1::2]
    assert [line.get_color() for line in left.lines] == [BLUE, BLUE, GREY, GREY]
    assert [list(bar.get_xdata()) for bar in bars] == interval.tolist()
    assert [mean.get_xdata()[0] for mean in means] == pytest.approx([1.2, 1.8])
    assert "3 metrics" in left.get_xlabel()
    assert [text.get_text() for text in right.texts] == ["1", "1", "1.5", "2", "2", "1.5"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["DEL↓", "INS↑", "FC↑"]
