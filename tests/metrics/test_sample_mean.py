"""Means of scores of any size."""

import math

import pytest
import torch
from torch import nn

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import CommonShare, FaithfulnessSuite, Infidelity
from pear_lightning.metrics.sample_mean import SampleMean


class Mean(SampleMean):
    metric_name = "size"

    def update(self, *scores: float) -> None:
        values = torch.tensor(scores, dtype=torch.float64)
        self._take(PerSample(values, torch.zeros_like(values).bool()))


@pytest.mark.parametrize("score", [9.3e18, 2.6e24, 1e39, 1.7e308, 5e-324])
def test_scores_of_any_size(score: float) -> None:
    metric = Mean()
    metric.update(score, score)
    metric.update(score)
    expected = torch.tensor(score, dtype=torch.float64)
    torch.testing.assert_close(metric.compute().double(), expected, rtol=1e-7, atol=1e-45)
    metric.update(-score, -score, -score)
    assert metric.compute() == 0


@pytest.mark.parametrize("score", [math.inf, -math.inf, math.nan])
def test_a_score_that_is_not_finite_names_the_metric(score: float) -> None:
    metric = Mean()
    metric.update(1.0)
    with pytest.raises(ValueError, match="scores of size must be finite"):
        metric.update(score)
    assert metric.compute() == 1


@pytest.mark.parametrize("size", [1e9, 2e12])
def test_infidelity_of_large_attributions(size: float) -> None:
    torch.manual_seed(0)
    model, inputs = nn.Linear(6, 2), torch.rand(100, 6)
    attributions = size * torch.rand(100, 6)
    metric = Infidelity(ColumnMasker(6), normalize=False, output="logit", n_subsets=20)
    expected = metric.score(model, inputs, attributions, 0).double().mean().float()
    metric.update(model, inputs, attributions, 0)
    assert metric.compute() == expected
    suite = FaithfulnessSuite(ColumnMasker(6), metrics=[metric.clone()], output="logit")
    suite.update(model, inputs, attributions, 0)
    assert suite.compute()["infidelity"] == expected


def test_an_overflow_names_the_metric() -> None:
    model, inputs, attributions = nn.Linear(6, 2), torch.rand(3, 6), torch.full((3, 6), 1e25)
    metric = Infidelity(ColumnMasker(6), normalize=False, output="logit", n_subsets=20)
    suite = FaithfulnessSuite(ColumnMasker(6), metrics=[metric], output="logit")
    for each in (metric, suite):
        with pytest.raises(ValueError, match="scores of infidelity must be finite"):
            each.update(model, inputs, attributions, 0)


def test_common_share_of_large_logits() -> None:
    torch.manual_seed(0)
    logits, small, large = torch.randn(50, 3, dtype=torch.float64), CommonShare(3), CommonShare(3)
    small.update(logits)
    large.update(1e12 * logits)
    torch.testing.assert_close(large.compute(), small.compute())
    with pytest.raises(ValueError, match="squares of the logits must be finite"):
        large.update(1e200 * logits)
