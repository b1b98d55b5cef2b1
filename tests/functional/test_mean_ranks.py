import pytest
import torch
from scipy.stats import rankdata

from pear_lightning.functional.mean_ranks import bootstrap_means, ranks_of_means


@pytest.mark.parametrize("higher", [True, False])
def test_ranks_are_scipys(higher: bool):
    means = torch.randn(4, 7).round(decimals=1)
    expected = rankdata(-means.numpy() if higher else means.numpy(), axis=1)
    ranks = ranks_of_means(means, torch.tensor([higher] * 4))
    torch.testing.assert_close(ranks, torch.from_numpy(expected))


def test_means_that_float32_cannot_tell_apart_are_tied():
    means = torch.tensor([[0.3, 0.3 + 1e-9, 0.30001]], dtype=torch.float64)
    assert ranks_of_means(means, torch.tensor([True])).tolist() == [[2.5, 2.5, 1]]
    assert ranks_of_means(torch.zeros(1, 3), torch.tensor([True])).tolist() == [[2, 2, 2]]


def test_ranks_do_not_depend_on_the_unit_of_a_score():
    means, higher = torch.randn(1, 6), torch.tensor([True])
    for factor in (1e-12, 1e12):
        assert torch.equal(ranks_of_means(factor * means, higher), ranks_of_means(means, higher))


def test_bootstrap_spreads_as_the_standard_error():
    scores = torch.randn(3, 400, generator=torch.Generator().manual_seed(0))
    means = torch.cat(list(bootstrap_means(scores, 4000)))
    assert means.shape == (4000, 3)
    error = scores.double().std(dim=1, correction=0) / 400**0.5
    torch.testing.assert_close(means.std(dim=0), error, rtol=0.05, atol=0)
    torch.testing.assert_close(means.mean(dim=0), scores.double().mean(dim=1), rtol=0, atol=4e-3)


def test_a_bootstrap_in_portions_gives_means_of_the_same_samples(monkeypatch: pytest.MonkeyPatch):
    scores = torch.rand(2, 3, 10)
    (whole,) = bootstrap_means(scores, 7, seed=1)
    monkeypatch.setattr("pear_lightning.functional.mean_ranks._WEIGHTS_AT_ONCE", 20)
    portions = list(bootstrap_means(scores, 7, seed=1))
    assert [len(each) for each in portions] == [2, 2, 2, 1]
    assert torch.cat(portions).shape == whole.shape == (7, 2, 3)


def test_a_large_mean_does_not_make_the_others_tie():
    means = torch.tensor([[1e6, 0.1, 0.2, 0.3], [-1e9, 3.0, 3.0 + 1e-7, 2.0]])
    ranks = ranks_of_means(means, torch.tensor([False, True]))
    assert ranks.tolist() == [[4, 1, 2, 3], [4, 1.5, 1.5, 3]]
