"""The number of coalitions that KernelShap and Lime use by default."""

import pytest
import torch

from pear_lightning.explainers import KernelShap, Lime, explain
from pear_lightning.functional.agreement import pairwise_rank_agreement
from pear_lightning.functional.coalitions import budgets
from pear_lightning.masking import SegmentMasker
from pear_lightning.nn import MLP


@pytest.mark.parametrize("build", [KernelShap, Lime])
@pytest.mark.parametrize(("n_features", "copies"), [(3, 8), (10, 1024), (23, 1024), (60, 1920)])
def test_evaluations_follow_the_number_of_features(build, n_features, copies):
    seen = 0

    def model(x):
        nonlocal seen
        seen += len(x)
        return x.square()

    with torch.no_grad():
        explain(model, torch.randn(1, n_features), 0, [build()])
    assert seen - 1 in (copies, copies - 1)  # the sample itself, which may be the full coalition


@pytest.mark.parametrize("n_features", [23, 60])
def test_kernel_shap_agrees_with_itself(n_features):
    torch.manual_seed(0)
    model, inputs = MLP(n_features, hidden_features=(50, 50)), 2 * torch.randn(12, n_features)

    def agreement(explainer):
        with torch.no_grad():
            results = [explain(model, inputs, 1, [explainer])[1][0] for _ in range(2)]
        return float(pairwise_rank_agreement(*results).mean())

    by_default = agreement(KernelShap())
    assert by_default > 0.88
    assert by_default > agreement(KernelShap(256)) + 0.03


def test_a_given_number_is_kept():
    assert budgets(torch.tensor([3, 60]), 77).tolist() == [77, 77]


@pytest.mark.parametrize("build", [KernelShap, Lime])
def test_budget_of_a_sample_does_not_depend_on_its_batch(build):
    """50 features have a budget of 1600 and 12 one of 1024; 3 features are enumerated."""
    torch.manual_seed(0)
    segments = torch.stack([torch.arange(50) % n for n in (50, 12, 3)]).view(3, 5, 10)
    inputs, weight = torch.randn(3, 1, 5, 10), torch.randn(50)

    def model(x):
        return (x.flatten(1) @ weight).tanh()[:, None]

    explainer = build(masker=SegmentMasker(baseline=0.2), seed=1)

    def of(rows):
        data = {"segments": segments[rows]}
        return explain(model, inputs[rows], None, [explainer], masker_kwargs=data)[1][0]

    whole = of([0, 1, 2])
    for row in range(3):
        torch.testing.assert_close(whole[row : row + 1], of([row]))
