"""The pattern consistency loss."""

import pytest
import torch
from scipy.stats import pearsonr, spearmanr

from pear_lightning.losses import PatternConsistencyLoss

TAUS = ["pearson", "spearman", "cosine"]


def expected(tau, a, b):
    if tau == "cosine":
        return torch.cosine_similarity(a, b, dim=0).item()
    return {"pearson": pearsonr, "spearman": spearmanr}[tau](a.numpy(), b.numpy())[0]


@pytest.mark.parametrize("tau", TAUS)
def test_equals_the_formula(tau):
    a, b = torch.randn(2, 6, 9)
    loss = PatternConsistencyLoss(tau, strength=1e-4)  # soft ranks are then hard
    wanted = [1 - expected(tau, x, y) for x, y in zip(a, b, strict=True)]
    assert loss(a, b).item() == pytest.approx(sum(wanted) / 6, abs=1e-5)
    half = PatternConsistencyLoss(tau, strength=1e-4, half=True)
    assert half(a, b).item() == pytest.approx(sum(wanted) / 12, abs=1e-5)
    assert loss(b, b).item() == pytest.approx(0, abs=1e-5)
    assert loss(-b, b).item() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("tau", TAUS)
def test_features_that_a_sample_lacks_do_not_count(tau):
    a, b = torch.randn(2, 4, 6)
    present = torch.ones(4, 9, dtype=torch.bool)
    present[:, [0, 3, 8]] = False
    wide = [torch.randn(4, 9).masked_scatter(present, each) for each in (a, b)]
    loss = PatternConsistencyLoss(tau, strength=1e-4)
    torch.testing.assert_close(loss(*wide, present), loss(a, b))


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("strength", [None, 0.2])
def test_the_number_of_absent_features_has_no_effect(tau, strength):
    a, b = torch.randn(2, 4, 6)
    loss = PatternConsistencyLoss(tau, strength=strength)
    alone = loss(a, b)
    for count in (1, 10, 50):
        wide = [torch.cat([each, torch.randn(4, count)], dim=1) for each in (a, b)]
        present = torch.arange(6 + count).expand(4, -1) < 6
        torch.testing.assert_close(loss(*wide, present), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tau", TAUS)
def test_minimising_it_finds_the_supervision(tau):
    supervision = torch.randn(8, 10)
    saliency = torch.randn(8, 10, requires_grad=True)
    loss = PatternConsistencyLoss(tau)
    start = loss(saliency, supervision).item()
    optimizer = torch.optim.Adam([saliency], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss(saliency, supervision).backward()
        optimizer.step()
    assert start > 0.5
    assert loss(saliency, supervision) < 0.1


@pytest.mark.parametrize("tau", TAUS)
def test_a_constant_row_has_correlation_0_and_no_gradient(tau):
    saliency = torch.zeros(2, 5).requires_grad_()
    loss = PatternConsistencyLoss(tau)
    found = loss.correlations(saliency, torch.randn(2, 5))
    assert found.undefined.all()
    assert found.values.tolist() == [0, 0]
    found.values.sum().backward()
    assert not saliency.grad.any()


def test_bad_arguments():
    with pytest.raises(ValueError, match="tau must be one of"):
        PatternConsistencyLoss("kendall")
    with pytest.raises(ValueError, match="strength must lie in"):
        PatternConsistencyLoss("spearman", strength=2)
    with pytest.raises(ValueError, match="same shape"):
        PatternConsistencyLoss()(torch.randn(2, 3), torch.randn(2, 4))
    with pytest.raises(ValueError, match="supervision must be finite"):
        PatternConsistencyLoss()(torch.randn(2, 3), torch.full((2, 3), float("nan")))
