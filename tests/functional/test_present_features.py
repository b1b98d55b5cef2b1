"""Rows that lack features give what their present features give alone."""

import pytest
import torch
from torch import Tensor

from pear_lightning.functional.agreement import AGREEMENT_NAMES, agreement_of_ranked, rank_saliency
from pear_lightning.functional.correlation import pearson
from pear_lightning.functional.present_features import check_present, filled_with_mean
from pear_lightning.functional.soft_spearman import soft_rank_saliency

COUNTS = (9, 2, 5, 1, 4)


def rows(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return rows with absent features anywhere, which hold large numbers, and who is present."""
    generator = torch.Generator().manual_seed(0)
    present = torch.zeros(len(COUNTS), 9, dtype=torch.bool)
    for row, count in enumerate(COUNTS):
        present[row, torch.randperm(9, generator=generator)[:count]] = True
    values = torch.randn(len(COUNTS), 9, generator=generator, dtype=dtype)
    return values.where(present, 1e3), present


@pytest.mark.parametrize("normalize", ["max", "none"])
@pytest.mark.parametrize("strength", [None, 0.03, 5.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_ranks_are_those_of_the_present_features(normalize, strength, dtype) -> None:
    values, present = rows(dtype)
    values.requires_grad_()
    weights = torch.randn(9, dtype=dtype)
    ranks = soft_rank_saliency(values, normalize, strength, present=present)
    (gradient,) = torch.autograd.grad((ranks * weights).sum(), values)
    assert not ranks[~present].any()
    assert not gradient[~present].any()
    for row, own in enumerate(present):
        alone = values.detach()[row, own].requires_grad_()
        expected = soft_rank_saliency(alone, normalize, strength)
        torch.testing.assert_close(ranks[row, own], expected)
        (expected,) = torch.autograd.grad((expected * weights[own]).sum(), alone)
        torch.testing.assert_close(gradient[row, own], expected)


def test_soft_ranks_are_the_same_when_traced() -> None:
    values, present = rows()
    expected = soft_rank_saliency(values, present=present)
    traced = torch.func.vmap(lambda row, own: soft_rank_saliency(row, present=own, validate=False))
    torch.testing.assert_close(traced(values, present), expected)


def test_correlations_are_those_of_the_present_features() -> None:
    values, present = rows()
    other = values.flip(0).where(present, -7)
    found = pearson(filled_with_mean(values, present), filled_with_mean(other, present))
    for row, own in enumerate(present):
        torch.testing.assert_close(found[row], pearson(values[row, own], other[row, own]))


def test_constant_rows_stay_constant() -> None:
    present = torch.tensor([[False, True, True, True], [False, False, False, False]])
    filled = filled_with_mean(torch.tensor([[5.0, 0.1, 0.1, 0.1]] * 2), present)
    assert not filled.any()


@pytest.mark.parametrize("name", AGREEMENT_NAMES)
@pytest.mark.parametrize("ties", ["average", "dense", "ordinal"])
@pytest.mark.parametrize("k", [1, 3, 0.4])
def test_agreement_is_that_of_the_present_features(name, ties, k) -> None:
    values, present = rows()
    values, present = values[present.sum(1) > 1].round(), present[present.sum(1) > 1]
    other = values.flip(0).where(present, -7)
    a, b = (rank_saliency(each, k, ties=ties, present=present) for each in (values, other))
    found = agreement_of_ranked(name, a, b)
    for row, own in enumerate(present):
        smaller = min(k, int(own.sum())) if isinstance(k, int) else k
        alone = [rank_saliency(each[row, own], smaller, ties=ties) for each in (values, other)]
        torch.testing.assert_close(found[row], agreement_of_ranked(name, *alone))


def test_pairwise_agreement_needs_two_features() -> None:
    values, present = rows()
    ranked = rank_saliency(values, None, present=present)
    with pytest.raises(ValueError, match="at least 2 features for pairwise rank agreement, got 1"):
        agreement_of_ranked("pairwise_rank_agreement", ranked, ranked)


def test_errors() -> None:
    values, present = rows()
    with pytest.raises(TypeError, match=r"present must be bool, .* got torch.int64"):
        check_present("values", values, present.long())
    with pytest.raises(ValueError, match=r"present and values must have the same shape, got"):
        check_present("values", values, present[:, 1:])
    present[2] = False
    with pytest.raises(ValueError, match="a feature in every row, got 1 rows without one"):
        rank_saliency(values, 2, present=present)
