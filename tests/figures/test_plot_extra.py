import sys

import pytest
import torch

from pear_lightning.figures import check_plot_extra, draw_agreement, draw_ranking, draw_scores

EYE = torch.eye(2)


@pytest.mark.parametrize(
    "draw",
    [
        check_plot_extra,
        lambda: draw_agreement(["a", "b"], EYE, ""),
        lambda: draw_ranking(["a", "b"], EYE[0], EYE, EYE, ["x", "y"], ""),
        lambda: draw_scores(["a", "b"], [0, 1], EYE, [0]),
    ],
    ids=["check", "agreement", "ranking", "scores"],
)
def test_missing_matplotlib_is_named(monkeypatch, draw):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[plot\]'"):
        draw()


def test_check_passes_where_matplotlib_is_installed():
    check_plot_extra()
