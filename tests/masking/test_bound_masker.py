"""Pooling, spreading and removing, whatever the features are."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.masking import (
    BoundMasker,
    ColumnMasker,
    FixedBaseline,
    PatchMasker,
    SegmentMasker,
    TokenMasker,
)

FEW = settings(max_examples=30, deadline=None)


def pooled(attributions, feature_map, n, mean=False):
    """Features one after another, elements one after another."""
    index = feature_map.expand(attributions.shape)
    rows = []
    for row, of_row in zip(attributions, index, strict=True):
        found = [row[of_row == i] for i in range(n)]
        rows.append([float(f.mean() if mean else f.sum()) if len(f) else 0.0 for f in found])
    return torch.tensor(rows)


@st.composite
def bound_maskers(draw, pooling="sum"):
    """Any features of a small batch: ragged, shared or not, with elements that stay."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    batch_size, n = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    map_shape = [size if draw(st.booleans()) else 1 for size in (batch_size, *shape)]
    feature_map = torch.randint(-1, n, map_shape, generator=generator)
    inputs = torch.randn(batch_size, *shape, generator=generator)
    baseline = FixedBaseline(draw(st.sampled_from([0.0, 7.5])))
    return BoundMasker(inputs, feature_map, n, baseline, pooling)


@FEW
@given(st.data(), st.sampled_from(["sum", "mean"]))
def test_pooling_is_the_plain_one(data, pooling):
    bound = data.draw(bound_maskers(pooling))
    attributions = torch.randn(bound.inputs.shape)
    expected = pooled(attributions, bound.feature_map, bound.n_features, pooling == "mean")
    torch.testing.assert_close(bound.pool(attributions), expected)


@FEW
@given(st.data(), st.sampled_from(["sum", "mean"]))
def test_what_is_spread_pools_to_what_it_was(data, pooling):
    bound = data.draw(bound_maskers(pooling))
    saliency = torch.randn(len(bound.inputs), bound.n_features) * bound.present
    attributions = bound.spread(saliency)
    assert attributions.shape == bound.inputs.shape
    assert not attributions[bound.feature_map.expand(bound.inputs.shape) < 0].any()
    torch.testing.assert_close(bound.pool(attributions), saliency, atol=1e-6, rtol=1e-5)


@FEW
@given(st.data(), st.booleans())
def test_exactly_the_removed_features_change(data, shared):
    bound = data.draw(bound_maskers())
    n_copies, n = 3, bound.n_features
    keep = torch.rand(1 if shared else len(bound.inputs), n_copies, n) < 0.5
    copies = bound.apply(keep)
    assert copies.shape == (len(bound.inputs), n_copies, *bound.inputs.shape[1:])
    index = bound.feature_map.expand(bound.inputs.shape)
    for b, k in ((b, k) for b in range(len(bound.inputs)) for k in range(n_copies)):
        of_row = keep[0 if shared else b, k]
        stays = (index[b] < 0) | of_row[index[b].clamp(min=0)]
        expected = torch.where(stays, bound.inputs[b], bound.baseline.value)
        assert torch.equal(copies[b, k], expected)


@FEW
@given(st.data())
def test_present_features_have_elements(data):
    bound = data.draw(bound_maskers())
    assert bound.present.shape == (len(bound.inputs), bound.n_features)
    index = bound.feature_map.expand(bound.inputs.shape)
    for row, of_row in zip(bound.present, index, strict=True):
        assert row.nonzero().flatten().tolist() == sorted(set(of_row[of_row >= 0].tolist()))


MASKERS = [
    (ColumnMasker(6, [[0, 4], [1, 2]]), (6,), {}),
    (PatchMasker((2, 3)), (2, 5, 7), {}),
    (SegmentMasker(), (3, 4, 6), {"segments": torch.randint(-1, 4, (5, 4, 6))}),
    (TokenMasker(), (6, 3), {"attention_mask": torch.ones(5, 6).tril(1).long()}),
]


@pytest.mark.parametrize(("masker", "shape", "sample_data"), MASKERS, ids=lambda m: repr(m)[:7])
@pytest.mark.parametrize("baseline", ["zeros", "own_mean", "uniform", "gaussian", "shuffle"])
def test_a_sample_has_the_same_features_in_any_batch(masker, shape, sample_data, baseline):
    masker = masker.with_baseline(baseline)
    inputs, attributions = torch.randn(2, 5, *shape)
    bound = masker.bind(inputs, sample_data)
    keep = torch.rand(5, 4, bound.n_features) < 0.5
    draws = torch.arange(4)
    for i in range(5):
        alone = masker.bind(inputs[i : i + 1], {k: v[i : i + 1] for k, v in sample_data.items()})
        n = alone.n_features  # the largest of the batch may be more
        torch.testing.assert_close(bound.pool(attributions)[i : i + 1, :n],
                                   alone.pool(attributions[i : i + 1]))  # fmt: skip
        assert torch.equal(bound.present[i, :n], alone.present[0])
        assert not bound.present[i, n:].any()
        torch.testing.assert_close(
            bound.apply(keep, draws)[i : i + 1], alone.apply(keep[i : i + 1, :, :n], draws)
        )


@pytest.mark.parametrize(("masker", "shape", "sample_data"), MASKERS, ids=lambda m: repr(m)[:7])
def test_keeping_everything_and_nothing(masker, shape, sample_data):
    inputs = torch.randn(5, *shape)
    bound = masker.bind(inputs, sample_data)
    everything = torch.ones(5, 1, bound.n_features, dtype=torch.bool)
    assert torch.equal(bound.apply(everything)[:, 0], inputs)
    nothing = bound.apply(~everything)[:, 0]
    belongs = bound.feature_map.expand(inputs.shape) >= 0
    assert (nothing[belongs] == 0).all()
    assert torch.equal(nothing[~belongs], inputs[~belongs])


def test_removed_takes_draws_first():
    bound = ColumnMasker(3, baseline="gaussian").bind(torch.randn(2, 3))
    keep = torch.rand(4, 2, 3) < 0.5
    draws = torch.tensor([0, 5, 5, 1])
    expected = bound.apply(keep.transpose(0, 1), draws).transpose(0, 1)
    assert torch.equal(bound.removed(keep, draws), expected)
    nothing = bound.removed(torch.zeros(4, 1, 3, dtype=torch.bool), draws)
    assert nothing.shape == (4, 2, 3)
    assert torch.equal(nothing[1], nothing[2])
    assert not torch.equal(nothing[0], nothing[1])
    # without draws all copies take the first
    assert torch.equal(bound.removed(~keep | keep & False), bound.inputs.where(~keep, nothing[0]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtypes(dtype):
    inputs = torch.randn(2, 1, 4, 4).to(dtype)
    for baseline in ("zeros", "own_mean", "uniform", "gaussian", "shuffle"):
        bound = PatchMasker(2, baseline=baseline).bind(inputs)
        assert bound.apply(torch.zeros(2, 1, 4, dtype=torch.bool)).dtype == dtype
    pooled = bound.pool(inputs)
    assert pooled.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (torch.ones(2, 4, 3), "keep must be bool"),
        (torch.ones(2, 4, 5).bool(), r"keep must be bool, \(2, K, 3\)"),
        (torch.ones(3, 4, 3).bool(), "keep must be bool"),
        (torch.ones(4, 3).bool(), "keep must be bool"),
    ],
)
def test_keep_that_does_not_fit(keep, message):
    with pytest.raises(ValueError, match=message):
        ColumnMasker(3).bind(torch.randn(2, 3)).apply(keep)


def test_attributions_that_do_not_fit():
    bound = PatchMasker(2).bind(torch.randn(2, 3, 4, 4))
    for shape in [(2, 3, 4, 5), (2, 2, 4, 4), (1, 3, 4, 4), (2, 3, 1, 4), (2, 4)]:
        with pytest.raises(ValueError, match="shape of the inputs"):
            bound.pool(torch.randn(shape))
    with pytest.raises(ValueError, match="NaN"):
        bound.pool(torch.full((2, 3, 4, 4), torch.nan))
    with pytest.raises(TypeError, match="floating"):
        bound.pool(torch.ones(2, 3, 4, 4).long())


def test_inputs_that_cannot_be_masked():
    with pytest.raises(ValueError, match="batch dimension"):
        ColumnMasker(3).bind(torch.randn(3))
    with pytest.raises(ValueError, match="inputs must be finite, got 1 NaN"):
        ColumnMasker(1).bind(torch.tensor([[torch.nan]]))


def test_empty_batch():
    for masker, shape, _ in MASKERS:
        sample_data = {"segments": torch.zeros(0, 4, 6).long()}
        bound = masker.bind(torch.zeros(0, *shape), sample_data)
        keep = torch.zeros(0, 2, bound.n_features, dtype=torch.bool)
        assert bound.apply(keep).shape == (0, 2, *shape)
        assert bound.pool(torch.zeros(0, *shape)).shape == (0, bound.n_features)
