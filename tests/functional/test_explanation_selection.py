"""Duplicates and filter of prior explanations."""

from fractions import Fraction
from itertools import product

import pytest
import torch

from pear_lightning.functional.explanation_selection import (
    above_quantiles,
    distinct_explanations,
    mean_ranks_of_samples,
    select_explanations,
)
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite
from tests.reference import explanation_selection as reference

UP = torch.tensor([True, False, True])


def data(samples=40, explanations=7, n=3, seed=0):
    """Few distinct values, so that ties, duplicates and zero explanations are common."""
    generator = torch.Generator().manual_seed(seed)
    saliency = torch.randint(-1, 2, (samples, explanations, n), generator=generator).float()
    scores = torch.randint(0, 5, (samples, explanations, 3), generator=generator).float() / 4
    return saliency, scores


def as_sets(selected):
    return [set(row.nonzero().flatten().tolist()) for row in selected]


@pytest.mark.parametrize("keep", ["best", "first"])
@pytest.mark.parametrize("over", ["deduplicated", "all"])
@pytest.mark.parametrize("without", ["best", "drop"])
@pytest.mark.parametrize(("delta", "p"), list(product([0.6, 1.0], ["1/10", "1/5", "1/2"])))
def test_equals_the_slow_reference(keep, over, without, delta, p):
    saliency, scores = data()
    found = select_explanations(
        saliency,
        scores,
        UP,
        similarity=delta,
        quantile=float(Fraction(p)),
        keep=keep,
        quantiles_over=over,
        without_survivor=without,
    )
    expected = [
        reference.select(
            s,
            r,
            UP.tolist(),
            delta - 1e-12,  # cosines of the reference are rounded
            Fraction(p),
            best_of_group=keep == "best",
            over_all=over == "all",
            keep_one=without == "best",
        )
        for s, r in zip(saliency.tolist(), scores.tolist(), strict=True)
    ]
    candidates, survivors, none = zip(*expected, strict=True)
    assert as_sets(found.candidates) == list(candidates)
    assert as_sets(found.survivors) == list(survivors)
    assert found.without.tolist() == list(none)


def test_the_reference_data_have_samples_with_and_without_survivors():
    found = select_explanations(*data(), UP, quantile=0.5, without_survivor="drop")
    assert 0 < found.without.sum() < len(found.without)
    assert not found.survivors[found.without].any()


def test_the_order_of_samples_does_not_matter_and_each_stands_alone():
    saliency, scores = data()
    found = select_explanations(saliency, scores, UP)
    order = torch.randperm(len(saliency))
    again = select_explanations(saliency[order], scores[order], UP)
    assert torch.equal(again.survivors, found.survivors[order])
    alone = [select_explanations(s[None], r[None], UP) for s, r in zip(saliency, scores)]  # noqa: B905
    assert torch.equal(torch.cat([each.survivors for each in alone]), found.survivors)


def test_the_first_is_kept_in_the_order_of_the_methods_and_the_best_by_its_rank():
    saliency = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [0.0, 1.0]]])
    scores = torch.tensor([[[0.1], [0.9], [0.5]]])
    up = torch.tensor([True])
    assert distinct_explanations(saliency, 0.9).tolist() == [[True, False, True]]
    ranks = mean_ranks_of_samples(scores, up)
    assert distinct_explanations(saliency, 0.9, ranks).tolist() == [[False, True, True]]
    same = torch.zeros_like(ranks)  # equal ranks: the order of the methods decides
    assert distinct_explanations(saliency, 0.9, same).tolist() == [[True, False, True]]


def test_kept_explanations_are_dissimilar_and_scale_does_not_matter():
    saliency, _ = data(seed=1)
    saliency = saliency + torch.randn_like(saliency) / 10
    kept = distinct_explanations(saliency, 0.7)
    tiny = saliency * 1e-30 * torch.rand(saliency.shape[:2])[..., None]
    assert torch.equal(distinct_explanations(tiny, 0.7), kept)
    for row, chosen in zip(saliency, kept, strict=True):
        cosines = torch.nn.functional.cosine_similarity(row[chosen][:, None], row[chosen], dim=2)
        assert (cosines.fill_diagonal_(0) < 0.7).all()


def test_ties_at_the_quantile_are_kept_in_both_directions():
    # .07 * 100 is 7.000000000000001 in float64: the quantile must still be the eighth value
    values = torch.arange(101.0)
    scores = torch.stack([values, -values], dim=1)[None]
    for quantile in (0.07, 0.2, 0.29, 0.57):
        passing = above_quantiles(scores, torch.tensor([True, False]), quantile)
        assert passing.sum() == 101 - round(100 * quantile)
    equal = torch.full((1, 6, 2), 0.1)
    assert above_quantiles(equal, torch.tensor([True, False]), 0.9).all()


def test_only_deletion_and_positive_perturbation_and_a_squared_infidelity_are_minimised():
    masker = ColumnMasker(4)
    ours = FaithfulnessSuite(masker).directions
    theirs = FaithfulnessSuite.deepfaith(masker, n_steps=4).directions
    assert len(ours) == len(theirs) == 10
    down = {"deletion", "positive_perturbation"}
    assert {name for name, up in ours.items() if not up} == down | {"infidelity"}
    assert {name for name, up in theirs.items() if not up} == down


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"similarity": 0}, "threshold must lie in"),
        ({"quantile": 1.5}, "quantile must lie in"),
        ({"keep": "last"}, "keep must be"),
        ({"without_survivor": "ignore"}, "without_survivor must be"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        select_explanations(*data(), UP, **change)


def test_values_that_are_not_finite_are_refused():
    saliency, scores = data()
    scores[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="scores must be finite"):
        select_explanations(saliency, scores, UP)
