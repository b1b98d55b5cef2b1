import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pear_lightning.functional.agreement import feature_agreement
from pear_lightning.functional.correlation import spearman
from pear_lightning.functional.importance import (
    false_discovery_rate,
    precision_at_k,
    relevance_auroc,
    relevance_average_precision,
    top_k_share,
    true_discovery_rate,
)
from pear_lightning.functional.importance_agreement import (
    STABILITY_NAMES,
    importance_stability,
    jaccard_at_k,
    kendall,
    kuncheva_index,
    pairwise_stability,
    top_k_overlap,
)
from tests.reference import correlation
from tests.reference import importance as reference


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor, int]:
    """Three runs, often with ties, the relevant features, and a k below d."""
    d = draw(st.integers(3, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    scores = torch.randn(3, d, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):
        scores = scores.round()
    count = draw(st.integers(1, d - 1))
    relevance = torch.zeros(d, dtype=torch.bool)
    relevance[torch.randperm(d, generator=generator)[:count]] = True
    return scores, relevance, draw(st.integers(1, d - 1))


def features(mask: Tensor) -> set[int]:
    return {int(i) for i in mask.nonzero()}


@given(problems())
@settings(max_examples=60, deadline=None)
def test_known_relevance_equals_the_definitions(problem: tuple[Tensor, Tensor, int]) -> None:
    scores, relevance, k = problem
    relevant, rows = features(relevance), scores.tolist()
    found = {
        "precision_at_k": precision_at_k(scores, relevance, k),
        "relevance_auroc": relevance_auroc(scores, relevance),
        "relevance_average_precision": relevance_average_precision(scores, relevance),
    }
    for name, values in found.items():
        more = (k,) if name == "precision_at_k" else ()
        expected = [getattr(reference, name)(row, relevant, *more) for row in rows]
        torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64), msg=name)
        for row, value in zip(scores, values, strict=True):
            single = {
                "precision_at_k": lambda row=row: precision_at_k(row, relevance, k),
                "relevance_auroc": lambda row=row: relevance_auroc(row, relevance),
                "relevance_average_precision": lambda row=row: relevance_average_precision(
                    row, relevance
                ),
            }[name]()
            assert single.shape == ()
            assert single == value


@given(problems())
@settings(max_examples=60, deadline=None)
def test_agreement_equals_the_definitions(problem: tuple[Tensor, Tensor, int]) -> None:
    (a, b, _), _, k = problem
    x, y = a.tolist(), b.tolist()
    for function, more in [
        (kendall, ()),
        (top_k_overlap, (k,)),
        (jaccard_at_k, (k,)),
        (kuncheva_index, (k,)),
    ]:
        value = function(a, b, *more)
        expected = getattr(reference, function.__name__)(x, y, *more)
        assert float(value) == pytest.approx(expected, abs=1e-6), function.__name__
        assert float(function(b, a, *more)) == pytest.approx(expected, abs=1e-6)


@given(problems())
@settings(max_examples=30, deadline=None)
def test_stability_is_the_mean_over_pairs(problem: tuple[Tensor, Tensor, int]) -> None:
    runs, _, k = problem
    for name in STABILITY_NAMES:
        value = float(importance_stability(runs, name, k))
        if name == "spearman":
            pairs = [(0, 1), (0, 2), (1, 2)]
            each = [spearman(runs[i], runs[j]) for i, j in pairs]
            torch.testing.assert_close(pairwise_stability(runs), torch.stack(each))
            continue
        more = () if name == "kendall" else (k,)
        expected = reference.mean_pairwise(getattr(reference, name), runs.tolist(), *more)
        assert value == pytest.approx(expected, abs=1e-6), name


@given(problems())
@settings(max_examples=30, deadline=None)
def test_only_the_order_matters(problem: tuple[Tensor, Tensor, int]) -> None:
    scores, relevance, k = problem
    stretched = scores.mul(3).exp()
    shuffle = torch.randperm(scores.shape[1], generator=torch.Generator().manual_seed(k))
    for other, truth in [(stretched, relevance), (scores[:, shuffle], relevance[shuffle])]:
        for function in (precision_at_k, relevance_auroc, relevance_average_precision):
            torch.testing.assert_close(function(scores, relevance), function(other, truth))
        for name in STABILITY_NAMES:
            torch.testing.assert_close(
                pairwise_stability(scores, name, k), pairwise_stability(other, name, k)
            )


def test_spearman_is_scipys() -> None:
    a, b = torch.rand(2, 4, 9).unbind()
    torch.testing.assert_close(spearman(a, b), correlation.spearman(a, b).float())


def test_without_ties_the_overlap_is_feature_agreement() -> None:
    a, b = torch.rand(2, 20, 9).unbind()
    for k in (1, 3, 0.5, 9):
        torch.testing.assert_close(top_k_overlap(a, b, k), feature_agreement(a, b, k))


def test_negative_scores_are_unimportant() -> None:
    scores, relevance = torch.tensor([-3.0, 0.1, 0.2]), torch.tensor([0, 1, 1])
    assert precision_at_k(scores, relevance) == 1
    assert top_k_overlap(scores, torch.tensor([0.0, 1.0, 2.0]), 2) == 1


def test_constant_scores_find_what_chance_finds() -> None:
    scores, relevance = torch.full((2, 10), 0.1), torch.arange(10) < 5
    other = torch.arange(10.0).neg().expand(2, 10)
    assert precision_at_k(scores, relevance).tolist() == [0.5, 0.5]
    assert relevance_auroc(scores, relevance).tolist() == [0.5, 0.5]
    assert relevance_average_precision(scores, relevance).tolist() == [0.5, 0.5]
    for name, value in [("spearman", 0), ("kendall", 0), ("kuncheva_index", 0)]:
        assert importance_stability(scores, name, k=4) == value
        assert importance_stability(torch.stack([scores[0], other[0]]), name, k=4) == value
    assert top_k_overlap(scores, other, 4).tolist() == pytest.approx([0.4, 0.4])
    for name, value in [("top_k_overlap", 4 / 10), ("jaccard_at_k", 4 / (20 - 4))]:
        assert importance_stability(scores, name, k=4) == pytest.approx(value)


def test_kendall_of_two_features() -> None:
    a = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 1.0], [0.0, 3.0]])
    b = torch.tensor([[0.0, 9.0], [5.0, -1.0], [1.0, 2.0], [4.0, 4.0]])
    assert kendall(a, b).tolist() == [1, -1, 0, 0]
    assert float(importance_stability(a[:2], "kendall")) == 1


def test_a_single_feature() -> None:
    assert kendall(torch.rand(2, 1), torch.rand(2, 1)).tolist() == [0, 0]
    assert precision_at_k(torch.rand(1), torch.ones(1)) == 1
    with pytest.raises(ValueError, match="k must be below the number of features"):
        kuncheva_index(torch.rand(1), torch.rand(1), 1)


def test_scores_of_any_size_and_precision() -> None:
    scores = torch.tensor([1e30, 1e-30, 1.0, 2.0], dtype=torch.float64)
    relevance = torch.tensor([1, 0, 0, 1])
    assert relevance_auroc(scores, relevance) == 1
    assert relevance_average_precision(scores, relevance).dtype == torch.float64
    half = torch.tensor([2.0, 0.0, 1.0, 3.0], dtype=torch.bfloat16)
    for function in (precision_at_k, relevance_auroc, relevance_average_precision):
        value = function(half, relevance)
        assert value.dtype == torch.float32
        assert value == 1
    assert kendall(half, half).dtype == torch.float32
    # gates after a softmax differ by little, and squashing them would make them tie
    close = torch.tensor([30.0, 40.0, 50.0])
    assert relevance_average_precision(close, torch.tensor([0, 0, 1])) == 1


@given(st.integers(1, 6), st.integers(0, 63), st.integers(1, 63))
@settings(max_examples=60, deadline=None)
def test_discovery_equals_the_definitions(d: int, chosen: int, true: int) -> None:
    bits = 2 ** torch.arange(6)
    selected, relevance = (chosen & bits) > 0, (true & bits) > 0
    for function in (true_discovery_rate, false_discovery_rate):
        expected = getattr(reference, function.__name__)(features(selected), features(relevance))
        assert float(function(selected, relevance)) == pytest.approx(expected)


def test_discovery_of_rows_that_differ() -> None:
    selected = torch.tensor([[True, False, True], [False, False, False]])
    relevance = torch.tensor([[1, 1, 0], [0, 0, 1]])
    assert true_discovery_rate(selected, relevance).tolist() == [0.5, 0]
    assert false_discovery_rate(selected, relevance).tolist() == [0.5, 0]


def test_top_k_share_sums_to_k() -> None:
    scores = torch.randn(50, 7).round()
    for k in range(1, 8):
        torch.testing.assert_close(top_k_share(scores, k).sum(dim=1), torch.full((50,), float(k)))


def test_errors_name_what_is_wrong() -> None:
    scores, relevance = torch.rand(4), torch.tensor([1, 0, 0, 1])
    nan = torch.tensor([0.1, torch.nan, 0.2, 0.3])
    for function in (precision_at_k, relevance_auroc, relevance_average_precision):
        with pytest.raises(ValueError, match="scores must be finite, got 1 NaN"):
            function(nan, relevance)
        with pytest.raises(ValueError, match="relevance must have shape"):
            function(scores, relevance[:3])
        with pytest.raises(ValueError, match="got a row that marks none"):
            function(scores, torch.zeros(4))
        with pytest.raises(ValueError, match="relevance must hold zeros and ones only, got 2"):
            function(scores, relevance * 2)
        with pytest.raises(TypeError, match="scores must be floating-point"):
            function(scores.long(), relevance)
    with pytest.raises(ValueError, match="got a row that marks all"):
        relevance_auroc(scores, torch.ones(4))
    with pytest.raises(ValueError, match=r"same number of features in each row .*, got \[1, 2\]"):
        precision_at_k(scores.expand(2, 4), torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0]]))
    with pytest.raises(TypeError, match="selected must be bool"):
        true_discovery_rate(scores, relevance)
    with pytest.raises(ValueError, match="b must be finite, got 1 NaN"):
        top_k_overlap(scores, nan, 2)
    with pytest.raises(ValueError, match="R >= 2 runs"):
        importance_stability(scores[None])
    with pytest.raises(ValueError, match="for jaccard_at_k, got None"):
        importance_stability(torch.rand(2, 4), "jaccard_at_k")
    with pytest.raises(ValueError, match=r"measure must be one of .*, got 'pearson'"):
        importance_stability(torch.rand(2, 4), "pearson")  # type: ignore[arg-type]
