import pytest
import torch
from torch import nn

from benchmarks.scores_activation.shap_values import shap_importance


@pytest.mark.slow
@pytest.mark.parametrize("explainer", ["permutation", "exact", "kernel", "gradient"])
def test_shap_of_a_linear_model_is_known(explainer: str) -> None:
    pytest.importorskip("shap")
    model = nn.Linear(4, 2)
    rows, background = torch.randn(12, 4), torch.randn(9, 4)
    slope = (model.weight[1] - model.weight[0]).detach()
    contributions = slope * (rows - background.mean(dim=0))
    found, evaluations = shap_importance(model, background, rows, [0, 1, 2, 3], explainer)
    tolerance = 0.25 if explainer == "gradient" else 1e-4  # draws its background rows
    torch.testing.assert_close(
        found, contributions.abs().mean(dim=0), rtol=tolerance, atol=tolerance
    )
    assert evaluations > 0


@pytest.mark.slow
def test_shap_of_groups_of_columns() -> None:
    pytest.importorskip("shap")
    model = nn.Linear(4, 2)
    rows, background = torch.randn(12, 4), torch.randn(9, 4)
    slope = (model.weight[1] - model.weight[0]).detach()
    contributions = slope * (rows - background.mean(dim=0))
    grouped = torch.stack([contributions[:, [0, 2]].sum(1), contributions[:, [1, 3]].sum(1)], 1)
    found, _ = shap_importance(model, background, rows, [0, 1, 0, 1])
    torch.testing.assert_close(found, grouped.abs().mean(dim=0), rtol=1e-4, atol=1e-5)
