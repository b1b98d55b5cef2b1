import matplotlib as mpl
import pytest
import torch
from matplotlib.figure import Figure

from pear_lightning.figures import draw_agreement

NAMES = ["gradient", "lime", "shap"]
VALUES = torch.tensor([[1.0, 0.25, -0.5], [0.25, 0.9, 0.7], [-0.5, 0.7, 1.0]])


def test_cells_show_the_values_and_the_diagonal_is_bold():
    ax = Figure().subplots()
    figure, drawn = draw_agreement(NAMES, VALUES, "a title", -1.0, ax)
    assert drawn is ax
    assert figure is ax.figure
    assert [text.get_text() for text in ax.texts] == [f"{value:.2f}" for value in VALUES.flatten()]
    bold = [text.get_weight() == "bold" for text in ax.texts]
    assert bold == torch.eye(3).bool().flatten().tolist()
    assert [label.get_text() for label in ax.get_xticklabels()] == NAMES
    assert [label.get_text() for label in ax.get_yticklabels()] == NAMES
    assert ax.get_title() == "a title"


@pytest.mark.parametrize("lowest", [0.0, -1.0])
def test_text_is_white_on_dark_cells_alone(lowest):
    ax = Figure().subplots()
    values = torch.tensor([[1.0, lowest], [lowest, 1.0]])
    draw_agreement(["a", "b"], values, "", lowest, ax)
    assert [text.get_color() for text in ax.texts] == ["black", "white", "white", "black"]
    (image,) = ax.images
    assert image.get_clim() == (lowest, 1)


def test_without_axes_it_makes_a_figure():
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = draw_agreement(NAMES, VALUES, "")
    assert plt.fignum_exists(figure.number)
    assert ax in figure.axes
    plt.close(figure)


def test_axes_of_a_subfigure_belong_to_the_whole_figure():
    whole = Figure()
    left, _ = whole.subfigures(1, 2)
    figure, _ = draw_agreement(NAMES, VALUES, "", ax=left.subplots())
    assert figure is whole
