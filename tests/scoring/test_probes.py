"""The copies of each probe, written out by hand."""

import pytest
import torch

from pear_lightning.scoring.probes import (
    Empty,
    Ground,
    Original,
    RandomSubsets,
    RankedChunks,
    RemovalCurve,
    SingleRemovals,
)


def ground(counts=(4, 4)):
    """Samples with so many features of four; the last features are missing."""
    numbers = torch.tensor(counts)
    present = torch.arange(4) < numbers[:, None]
    # the last feature that a sample has is the most relevant
    ranks = torch.where(present, numbers[:, None] - 1 - torch.arange(4), torch.arange(4))
    return Ground(present, numbers, torch.arange(len(counts)), ranks)


def kept(probe, samples):
    points = torch.arange(probe.n_points(4))
    keep = probe.keep(samples, points).expand(-1, len(samples.counts), -1)
    return [["".join("01"[int(each)] for each in row) for row in copy] for copy in keep]


def test_the_whole_and_nothing():
    assert kept(Original(), ground()) == [["1111", "1111"]]
    assert kept(Empty(), ground()) == [["0000", "0000"]]


def test_the_most_relevant_are_removed_first():
    assert kept(RemovalCurve(), ground((4, 4))) == [["1110"] * 2, ["1100"] * 2, ["1000"] * 2]
    first = kept(RemovalCurve(least_first=True), ground((4,)))
    assert first == [["0111"], ["0011"], ["0001"]]


@pytest.mark.parametrize(
    ("n_steps", "counts", "expected"),
    [
        (4, (4, 2), [[0, 1, 2, 3, 4], [0, 1, 1, 2, 2]]),  # halves are rounded up
        (2, (4, 3), [[0, 2, 4], [0, 2, 3]]),
        (3, (4, 1), [[0, 1, 3, 4], [0, 0, 1, 1]]),
        (None, (4, 4), [[0, 1, 2, 3, 4]] * 2),
        (9, (4, 4), [[0, 1, 2, 3, 4]] * 2),
    ],
)
def test_how_many_features_are_removed_after_each_step(n_steps, counts, expected):
    probe, samples = RemovalCurve(n_steps), ground(counts)
    assert probe.removed_counts(samples).tolist() == expected
    assert probe.n_points(4) == len(expected[0]) - 2
    removed = (~probe.keep(samples, torch.arange(probe.n_points(4))) & samples.present).sum(dim=2)
    assert removed.T.tolist() == [row[1:-1] for row in expected]


def test_every_feature_is_removed_alone():
    assert kept(SingleRemovals(), ground((4,))) == [["0111"], ["1011"], ["1101"], ["1110"]]
    probe = SingleRemovals(n_draws=2)
    assert kept(probe, ground((4,)))[:4] == [["0111"], ["0111"], ["1011"], ["1011"]]
    assert probe.draws(torch.arange(8)).tolist() == [0, 1] * 4


def test_chunks_are_removed_alone_in_order_of_relevance():
    assert kept(RankedChunks(2), ground((4,))) == [["1100"], ["0011"]]
    assert kept(RankedChunks(4), ground((4,))) == [["1110"], ["1101"], ["1011"], ["0111"]]


def test_random_subsets_have_their_size_and_leave_missing_features_alone():
    samples = ground((4, 3))
    keep = RandomSubsets(50, 2).keep(samples, torch.arange(50))
    assert (~keep).sum(dim=2).unique().tolist() == [2]
    assert keep[:, 1, 3].all()
    assert len({tuple(row) for row in keep[:, 0].int().tolist()}) == 6  # all pairs of four
    assert RandomSubsets(50, 2).draws(torch.arange(3)).tolist() == [0, 1, 2]
    other = RandomSubsets(50, 2, seed=1).keep(samples, torch.arange(50))
    assert not torch.equal(keep, other)


@pytest.mark.parametrize("size", [0, 0.0, 1.5, "half", True])
def test_sizes_that_are_none(size):
    with pytest.raises(ValueError, match="subset_size must be a number of features"):
        RandomSubsets(10, size)
