"""Occlusion without a masker; with one it is in test_explainers_on_maskers.py."""

import torch

from pear_lightning.explainers import Occlusion, explain
from pear_lightning.masking import ColumnMasker, SegmentMasker


def test_every_element_is_left_out_once():
    inputs, baseline = torch.randn(3, 2, 4), torch.randn(2, 4)

    def model(x):
        return x.flatten(1).cumsum(1).tanh().sum(1)

    (attributions,) = explain(model, inputs, None, [Occlusion(baseline=baseline)])[1]
    for i, j in ((i, j) for i in range(2) for j in range(4)):
        without = inputs.clone()
        without[:, i, j] = baseline[i, j]
        torch.testing.assert_close(attributions[:, i, j], model(inputs) - model(without))


def test_draws_of_a_random_baseline_are_averaged():
    torch.manual_seed(0)
    inputs, weights = torch.rand(3, 4), torch.tensor([1.0, -2.0, 0.5, 3.0])

    def model(x):
        return x @ weights

    masker = ColumnMasker(4, baseline="uniform")  # in [0, 1]
    few, many = (
        explain(model, inputs, None, [Occlusion(masker, n_draws=n)])[1][0] for n in (2, 400)
    )
    wanted = weights * (inputs - 0.5)
    torch.testing.assert_close(many, wanted, rtol=0, atol=0.2)
    assert (many - wanted).abs().mean() < (few - wanted).abs().mean() / 3


def count(explainer, inputs, **kwargs):
    rows = []

    def model(x):
        rows.append(len(x))
        return x.flatten(1).sum(1)

    explain(model, inputs, None, [explainer], **kwargs)
    return rows


def test_evaluations_are_one_for_each_feature_and_one_more():
    inputs = torch.randn(3, 6)
    for points_per_pass in (None, 1, 4):
        rows = count(Occlusion(), inputs, points_per_pass=points_per_pass)
        assert sum(rows) == 3 * (6 + 1)  # the samples and a copy without each feature
        assert max(rows) == 3 * (points_per_pass or 7)
    masker = ColumnMasker(6, groups=[[0, 1, 2]], baseline="uniform")
    assert sum(count(Occlusion(masker, n_draws=5), inputs)) == 3 * (4 * 5 + 1)


def test_features_that_no_sample_has_cost_nothing():
    labels = torch.tensor([[[0, 0, 1, 1]], [[5, 9, 9, 9]]])
    rows = count(Occlusion(SegmentMasker()), torch.randn(2, 1, 1, 4),
                 masker_kwargs={"segments": labels})  # fmt: skip
    assert sum(rows) == 2 * (2 + 1)
