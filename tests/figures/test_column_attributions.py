import pytest
import torch
from matplotlib.colors import to_hex

from pear_lightning.figures import draw_column_attributions
from pear_lightning.figures.style import BLUE, RED

NAMES = ["age", "income", "debt", "height"]
BARS = {
    "gradient": torch.tensor([[0.1, -2.0, 0.5, 0.0], [1.0, 0.0, 0.0, -3.0]]),
    "lime": torch.tensor([[1.0, -10.0, 8.0, 0.0], [4.0, 0.0, 1.0, -2.0]]),
}


def test_panels_of_a_sample_show_the_same_largest_features_with_their_values():
    values = torch.tensor([[30.0, 1e5, float("nan"), 1.8], [40.0, 2e5, -1.0, 1.7]])
    figure = draw_column_attributions(NAMES, BARS, ["a", "b"], values=values, top=2)
    first, second, third, _ = figure.axes
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["income = 1e+05", "debt"]
    assert [tick.get_text() for tick in third.get_yticklabels()] == ["height = 1.7", "age = 40"]
    assert [text.get_text() for text in first.texts] == ["−2", "0.5"]
    assert [text.get_text() for text in second.texts] == ["−10", "8"]
    assert [ax.get_title() for ax in figure.axes] == ["gradient", "lime", "", ""]


def test_bars_have_the_length_and_colour_of_their_attribution():
    figure = draw_column_attributions(NAMES, BARS, ["a", "b"], top=2, scale="explainer")
    lengths = [[bar.get_width() for bar in ax.patches] for ax in figure.axes]
    assert lengths[0] == pytest.approx([-2 / 3, 0.5 / 3])
    assert lengths[3] == pytest.approx([-0.2, 0.4])
    colours = [to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches]
    assert colours == [BLUE, RED]


def test_labels_stand_above_the_bars():
    figure = draw_column_attributions(NAMES, BARS, ["sample 0\npredicted no\nlabel yes", "b"])
    written = [text.get_text() for text in figure.texts]
    assert written == ["sample 0", "predicted no, label yes", "b", ""]


def test_another_number_of_names_is_refused():
    with pytest.raises(ValueError, match=r"must be \(B, n\) = \(2, 3\), got \(2, 4\)"):
        draw_column_attributions(NAMES[:3], BARS, ["a", "b"])
