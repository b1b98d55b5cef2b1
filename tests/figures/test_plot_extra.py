import sys

import pytest
import torch

from pear_lightning.figures import (
    blank_axes,
    check_plot_extra,
    draw_agreement,
    draw_column_attributions,
    draw_image_attributions,
    draw_ranking,
    draw_scores,
    draw_token_attributions,
)

EYE = torch.eye(2)


@pytest.mark.parametrize(
    "draw",
    [
        check_plot_extra,
        lambda: draw_agreement(["a", "b"], EYE, ""),
        lambda: draw_ranking(["a", "b"], EYE[0], EYE, EYE, ["x", "y"], ""),
        lambda: draw_scores(["a", "b"], [0, 1], EYE, [0]),
        lambda: blank_axes(1, 1),
        lambda: draw_image_attributions(EYE[None, None], {"a": EYE[None]}, ["x"]),
        lambda: draw_column_attributions(["a", "b"], {"a": EYE}, ["x", "y"]),
        lambda: draw_token_attributions([[]], {"a": [EYE[0, :0]]}, ["x"]),
    ],
    ids=["check", "agreement", "ranking", "scores", "axes", "image", "columns", "tokens"],
)
def test_missing_matplotlib_is_named(monkeypatch, draw):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[plot\]'"):
        draw()


def test_check_passes_where_matplotlib_is_installed():
    check_plot_extra()
