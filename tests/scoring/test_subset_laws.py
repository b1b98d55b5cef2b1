"""Laws of subsets: what is drawn follows the law, and what is enumerated has its probabilities."""

from collections import Counter
from itertools import combinations
from math import comb

import pytest
import torch

from pear_lightning.functional.hashed_random import derived_seeds, hashed_keys, sample_seeds
from pear_lightning.scoring import (
    BernoulliLaw,
    FixedSizeLaw,
    PrefixLaw,
    ShapleyLaw,
    SingleRemovalLaw,
    UniformSizeLaw,
)
from pear_lightning.scoring.probes import Ground, RandomSubsets
from pear_lightning.scoring.subset_laws import seeded_numbers

N = 4
LAWS = {  # the probability of one subset of `size` removed features of N
    BernoulliLaw(): lambda size: 0.5**N,
    BernoulliLaw(0.2): lambda size: 0.2**size * 0.8 ** (N - size),
    UniformSizeLaw(): lambda size: 1 / (N + 1) / comb(N, size),
    FixedSizeLaw(3): lambda size: (size == 3) / comb(N, 3),
    FixedSizeLaw(0.4): lambda size: (size == 2) / comb(N, 2),
    SingleRemovalLaw(): lambda size: (size == 1) / N,
    ShapleyLaw(paired=False): lambda size: shapley(size),
    ShapleyLaw(paired=True): lambda size: shapley(size),
}
every_law = pytest.mark.parametrize("law", LAWS, ids=repr)


def shapley(size):
    if size in (0, N):
        return 0.0
    total = sum(1 / (k * (N - k)) for k in range(1, N))
    return 1 / (size * (N - size)) / total / comb(N, size)


def numbers(rows=1, features=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return seeded_numbers(sample_seeds(torch.rand(rows, features, generator=generator)))


def as_sets(keep):
    return [frozenset((~row).nonzero().flatten().tolist()) for row in keep]


@every_law
def test_drawn_subsets_follow_the_law(law):
    draws = 40_000
    keep = law.draw(draws, torch.tensor([N]), numbers())[:, 0]
    found = Counter(as_sets(keep))
    expected = {
        frozenset(subset): LAWS[law](size)
        for size in range(N + 1)
        for subset in combinations(range(N), size)
    }
    assert sum(expected.values()) == pytest.approx(1)
    statistic = 0.0
    for subset, probability in expected.items():
        if probability == 0:
            assert found[subset] == 0
        else:
            wanted = draws * probability
            statistic += (found[subset] - wanted) ** 2 / wanted
    pairs = 2 if getattr(law, "paired", False) else 1  # complements are not independent
    assert statistic / pairs < 45  # chi-square with up to 15 degrees of freedom: p < 1e-4


@every_law
def test_few_features_are_enumerated_with_exact_probabilities(law):
    keep, weights, _ = law.subsets(2**N, torch.tensor([N]), numbers())
    sets = as_sets(keep[:, 0])
    assert len(set(sets)) == len(sets)
    wanted = [LAWS[law](len(subset)) for subset in sets]
    assert min(wanted) > 0  # no evaluation of the model for a weight of 0
    assert weights[:, 0].tolist() == pytest.approx(wanted)
    assert sum(wanted) == pytest.approx(1)


@every_law
def test_samples_with_different_numbers_of_features(law):
    counts = torch.tensor([3, 9])
    keep, weights, _ = law.subsets(20, counts, numbers(2, 9))
    assert not keep[:, 0, 3:].any()
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(2).double())
    # the sample with few features has its own probabilities, as if it were alone
    alone = law.subsets(20, counts[:1], numbers(1, 9))
    used = weights[:, 0] > 0
    sets = dict(zip(as_sets(keep[used, 0, :3]), weights[used, 0].tolist(), strict=True))
    assert sets == pytest.approx(
        dict(zip(as_sets(alone.keep[:, 0]), alone.weights[:, 0].tolist(), strict=True))
    )


@every_law
def test_a_sample_has_the_same_subsets_in_any_batch(law):
    inputs = torch.rand(5, 7)
    counts = torch.full((5,), 7)
    together = law.draw(30, counts, seeded_numbers(sample_seeds(inputs)))
    alone = [law.draw(30, counts[:1], seeded_numbers(sample_seeds(row[None]))) for row in inputs]
    assert torch.equal(together, torch.cat(alone, dim=1))
    if not isinstance(law, SingleRemovalLaw):
        assert (together[:, 0] != together[:, 1]).any()


@pytest.mark.parametrize("law", [*LAWS, ShapleyLaw(full_weight=0.25)], ids=repr)
def test_a_subset_has_its_number_in_every_batch(law):
    counts = torch.tensor([3, 9])
    found = []
    for drawn in (
        law.subsets(20, counts, numbers(2, 9)),
        law.subsets(20, counts[:1], numbers(1, 9)),
    ):
        used = drawn.weights[:, 0] > 0
        assert len(drawn.numbers) == len(drawn.numbers.unique()) == len(drawn.keep)
        sets = as_sets(drawn.keep[used, 0, :3])
        found.append(dict(zip(drawn.numbers[used].tolist(), sets, strict=True)))
    assert found[0] == found[1]


def test_pairs_are_complements():
    keep = ShapleyLaw().draw(20, torch.tensor([6, 6]), numbers(2, 6))
    assert torch.equal(keep[0::2], ~keep[1::2])  # so that the first draws are pairs too
    assert len(ShapleyLaw().draw(7, torch.tensor([6, 6]), numbers(2, 6))) == 7


def test_full_removal_has_its_weight():
    keep, weights, _ = ShapleyLaw(full_weight=0.25).subsets(16, torch.tensor([N]), numbers())
    assert not keep[-1].any()
    assert weights[-1].item() == pytest.approx(0.25)
    assert weights.sum().item() == pytest.approx(1)
    assert keep[:-1].any(dim=-1).all()


@pytest.mark.parametrize("least_first", [False, True])
def test_prefixes_are_those_of_the_order(least_first):
    ranks = torch.tensor([[2, 0, 3, 1], [0, 1, 2, 3]])
    law, counts = PrefixLaw(least_first), torch.tensor([4, 2])
    keep, weights, _ = law.subsets(10, counts, numbers(2), ranks)
    expected = [{2}, {2, 0}, {2, 0, 3}] if least_first else [{1}, {1, 3}, {1, 3, 0}]
    assert as_sets(keep[:, 0]) == expected
    assert weights[:, 0].tolist() == pytest.approx([1 / 3] * 3)
    assert weights[:, 1].tolist() == [1, 0, 0]
    assert keep[0, 1].tolist() == [least_first, not least_first, False, False]
    drawn = law.subsets(2, counts, numbers(2), ranks)
    assert all(subset in expected for subset in as_sets(drawn.keep[:, 0]))
    with pytest.raises(ValueError, match="ranks must be given"):
        law.draw(3, counts, numbers(2))


def test_prefixes_of_a_short_order_are_enumerated_beside_a_long_one():
    ranks = torch.arange(9).expand(3, 9)
    counts, seeded = torch.tensor([4, 9, 1]), numbers(3)
    keep, weights, _ = PrefixLaw().subsets(6, counts, seeded, ranks)
    assert keep.shape == (6, 3, 9)
    for row, n in [(0, 4), (2, 1)]:
        alone = PrefixLaw().subsets(6, counts[row : row + 1], seeded, ranks[:1, :n])
        used = weights[:, row] > 0
        assert torch.equal(keep[used, row, :n], alone.keep[:, 0])
        assert torch.equal(weights[used, row], alone.weights[:, 0])
    drawn = PrefixLaw().draw(6, counts, seeded, ranks)
    assert torch.equal(keep[:, 1], drawn[:, 1])
    assert weights[:, 1].tolist() == pytest.approx([1 / 6] * 6)


def test_prefixes_of_long_orders_have_uniform_sizes():
    ranks = torch.arange(5)[None]
    keep = PrefixLaw().draw(20_000, torch.tensor([5]), numbers(), ranks)
    sizes = (~keep).sum(dim=-1).flatten().bincount(minlength=6) / 20_000
    torch.testing.assert_close(sizes, torch.tensor([0, *[0.25] * 4, 0]), atol=0.015, rtol=0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BernoulliLaw(0.0), "probability must lie in"),
        (lambda: FixedSizeLaw(0), "size must be a number"),
        (lambda: FixedSizeLaw(1.5), "size must be a number"),
        (lambda: FixedSizeLaw(True), "size must be a number"),
        (lambda: ShapleyLaw(full_weight=1.0), "full_weight must lie in"),
        (
            lambda: FixedSizeLaw(5).removed_counts(torch.tensor([4, 6])),
            "subset_size must be at most 4",
        ),
    ],
)
def test_bad_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("size", [1, 3, 0.4, "bernoulli"])
def test_subsets_of_published_metrics_are_unchanged(size):
    """The smallest keys are removed, as in all results that were published before."""
    present = torch.ones(6, 8, dtype=torch.bool)
    present[1, :3] = present[2, 6:] = False
    for shown in (present[:1], present):
        rows, counts = len(shown), shown.sum(dim=1)
        seeds = sample_seeds(torch.rand(rows, 8))
        keep = RandomSubsets(30, size, 5).keep(Ground(shown, counts, seeds), torch.arange(30))
        keys = hashed_keys(derived_seeds(seeds, "random subsets", 5), torch.arange(30), 8)
        for row in range(rows):
            n = int(counts[row])
            removed = max(1, round(n * size)) if size == 0.4 else size
            for draw in range(30):
                of_row = keys[draw, row, :n]
                gone = of_row < 0 if size == "bernoulli" else of_row.argsort().argsort() < removed
                assert torch.equal(keep[draw, row, shown[row]], ~gone)


def test_random_subsets_of_uniform_size():
    shown = torch.ones(1, 5, dtype=torch.bool)
    ground = Ground(shown, shown.sum(dim=1), torch.tensor([7]))
    keep = RandomSubsets(12_000, "uniform").keep(ground, torch.arange(12_000))
    sizes = keep.sum(dim=-1).flatten().bincount(minlength=6) / 12_000
    torch.testing.assert_close(sizes, torch.full((6,), 1 / 6), atol=0.015, rtol=0)
