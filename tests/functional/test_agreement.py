import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pear_lightning.functional import agreement
from pear_lightning.functional.agreement import (
    AGREEMENT_NAMES,
    TOP_K_NAMES,
    chance_corrected,
    chance_level,
    resolve_k,
)
from tests.reference import agreement as reference

FIXTURE_A = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
FIXTURE_B = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])


def measure(name: str, a: Tensor, b: Tensor, k: int = 3) -> Tensor:
    function = getattr(agreement, name)
    result: Tensor = function(a, b, k) if name in TOP_K_NAMES else function(a, b)
    return result


def plainly(name: str, a: Tensor, b: Tensor, k: int = 3) -> Tensor:
    function = getattr(reference, name)
    options = (k,) if name in TOP_K_NAMES else ()
    rows = zip(a.tolist(), b.tolist(), strict=True)
    return torch.tensor([function(*row, *options) for row in rows])


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (2, [1, 0, 0.5, 0, 0.8, 0.8]),
        (3, [1, 1 / 3, 2 / 3, 1 / 3, 0.8, 0.8]),
        (4, [0.75, 0.25, 0.5, 0.25, 0.8, 0.8]),
    ],
)
def test_fixture(k: int, expected: list[float]) -> None:
    for name, value in zip(AGREEMENT_NAMES, expected, strict=True):
        torch.testing.assert_close(
            measure(name, FIXTURE_A, FIXTURE_B, k), torch.tensor([float(value)])
        )


@given(st.integers(2, 9), st.integers(0, 10**6), st.booleans(), st.data())
@settings(max_examples=100, deadline=None)
def test_equals_the_definitions(n: int, seed: int, ties: bool, data: st.DataObject) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, 4, n, generator=generator).unbind()
    if ties:
        a, b = a.round(), b.round()
    k = data.draw(st.integers(1, n))
    for name in AGREEMENT_NAMES:
        torch.testing.assert_close(measure(name, a, b, k), plainly(name, a, b, k))
    strict = agreement.pairwise_rank_agreement(a, b, strict=True)
    rows = zip(a.tolist(), b.tolist(), strict=True)
    expected = [reference.pairwise_rank_agreement(*row, strict=True) for row in rows]
    torch.testing.assert_close(strict, torch.tensor(expected))


@pytest.mark.parametrize("name", AGREEMENT_NAMES)
def test_order_of_features_and_of_explanations_does_not_matter(name: str) -> None:
    a, b = torch.randn(2, 10, 7).unbind()
    permutation = torch.randperm(7)
    torch.testing.assert_close(measure(name, a, b), measure(name, b, a))
    torch.testing.assert_close(
        measure(name, a, b), measure(name, a[:, permutation], b[:, permutation])
    )
    torch.testing.assert_close(measure(name, a, a), torch.ones(10))


@pytest.mark.parametrize("name", AGREEMENT_NAMES)
def test_all_tie_rules_coincide_without_ties(name: str) -> None:
    a, b = torch.randn(2, 10, 7).unbind()
    expected = measure(name, a, b)
    for ties in ("average", "dense", "ordinal"):
        if name in ("rank_agreement", "signed_rank_agreement"):
            found = getattr(agreement, name)(a, b, 3, ties=ties)
        elif name == "rank_correlation":
            found = agreement.rank_correlation(a, b, ties=ties)
        else:
            found = expected
        torch.testing.assert_close(found, expected)
    if name == "pairwise_rank_agreement":
        torch.testing.assert_close(agreement.pairwise_rank_agreement(a, b, strict=True), expected)


def test_rules_for_ties() -> None:
    tied, rising, falling = torch.tensor([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0]]).unbind()
    pra = agreement.pairwise_rank_agreement
    # a tie agrees with a tie only, however the features are numbered
    assert pra(tied, rising) == pra(tied, falling) == 0
    assert pra(tied, tied) == 1
    # the published strict comparison depends on the numbering
    assert pra(tied, rising, strict=True) == 1
    assert pra(tied, falling, strict=True) == 0
    # a tie at the boundary goes to the lower index, in both
    assert agreement.feature_agreement(tied, falling, k=1) == 1
    assert agreement.feature_agreement(tied, rising, k=1) == 0
    # zero agrees with zero only
    zero, plus, minus = torch.tensor([[3.0, 0.0], [3.0, 1.0], [3.0, -1.0]]).unbind()
    assert agreement.sign_agreement(zero, zero, k=2) == 1
    assert agreement.sign_agreement(zero, plus, k=2) == 0.5
    assert agreement.sign_agreement(plus, minus, k=2) == 0.5
    a, b = torch.tensor([[3.0, 2.0, 2.0], [3.0, 2.0, 1.0]]).unbind()
    assert agreement.rank_agreement(a, b, k=2) == 0.5
    assert agreement.rank_agreement(a, b, k=2, ties="dense") == 1
    assert agreement.rank_agreement(a, b, k=2, ties="ordinal") == 1


@pytest.mark.parametrize("ties", ["average", "dense", "ordinal"])
def test_constant_row_has_rank_correlation_zero(ties: str) -> None:
    a, b = torch.randn(2, 3, 6).unbind()
    a[1] = torch.tensor([1.0, -1.0] * 3)
    found = agreement.rank_correlation(a, b, ties=ties)
    assert found[1] == 0
    assert found.isfinite().all()


@pytest.mark.parametrize("name", AGREEMENT_NAMES)
def test_rows_do_not_influence_each_other(name: str) -> None:
    a, b = torch.randn(2, 5, 6).round(decimals=1).unbind()
    a[2] = 0
    each = torch.cat([measure(name, a[i : i + 1], b[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(measure(name, a, b), each)
    stacked = measure(name, a.view(1, 5, 6), b.view(1, 5, 6))
    torch.testing.assert_close(stacked, each[None])
    assert measure(name, a[:0], b[:0]).shape == (0,)


@pytest.mark.parametrize("name", AGREEMENT_NAMES)
@pytest.mark.parametrize(("n", "k"), [(7, 5), (8, 5), (20, 3)])
def test_random_explanations_score_at_chance(name: str, n: int, k: int) -> None:
    a, b = torch.randn(2, 4000, n).unbind()
    values = measure(name, a, b, k)
    error = values.std() / 4000**0.5
    assert abs(values.mean() - chance_level(name, n, k)) < 5 * error


def test_chance_correction_without_values() -> None:
    nothing = torch.zeros(0)
    assert chance_corrected(nothing, nothing).shape == (0,)
    assert chance_corrected(nothing, 0.5).shape == (0,)


def test_chance_correction() -> None:
    corrected = chance_corrected(torch.tensor([0.625, 1.0, 0.0]), 0.625)
    torch.testing.assert_close(corrected, torch.tensor([0.0, 1.0, -5 / 3]))
    with pytest.raises(ValueError, match="choose a smaller k"):
        chance_corrected(torch.ones(1), chance_level("feature_agreement", 5, 5))
    with pytest.raises(ValueError, match="k must be the number of top features"):
        chance_level("sign_agreement", 5)


def test_pairs_are_compared_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.randn(2, 3, 50).round(decimals=1).unbind()
    expected = agreement.pairwise_rank_agreement(a, b)
    for pairs in (1, 1000, 10**9):
        monkeypatch.setattr(agreement, "PAIRS_AT_ONCE", pairs)
        torch.testing.assert_close(agreement.pairwise_rank_agreement(a, b), expected)


def test_pairwise_agreement_of_a_thousand_features() -> None:
    a = torch.randn(4, 1000)
    b = a.clone()
    b[:, [0, 1]] = b[:, [1, 0]]
    found = agreement.pairwise_rank_agreement(a, b)
    between = (a.abs() > a[:, :2].abs().amin(-1, keepdim=True)) & (
        a.abs() < a[:, :2].abs().amax(-1, keepdim=True)
    )
    swapped = 1 + 2 * between.sum(-1)
    torch.testing.assert_close(found, 1 - swapped / (1000 * 999 / 2))


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [
        (5, 8, 5),
        (0.25, 8, 2),
        (0.25, 7, 2),
        (0.1, 30, 3),
        (1.0, 4, 4),
        (1e-9, 4, 1),
        (0.07, 100, 7),
        (0.55, 100, 55),
    ],
)
def test_k(k: int | float, n: int, expected: int) -> None:
    assert resolve_k(k, n) == expected


@pytest.mark.parametrize("k", [0, -1, 9, 0.0, 1.5, -0.2, float("nan")])
def test_k_out_of_range(k: int | float) -> None:
    with pytest.raises(ValueError, match="k must be"):
        agreement.feature_agreement(torch.rand(2, 8), torch.rand(2, 8), k)


def test_errors() -> None:
    a, b = torch.rand(2, 4, 6).unbind()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'k'"):
        agreement.feature_agreement(a, b)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"k must be .*, got True"):
        agreement.feature_agreement(a, b, True)
    with pytest.raises(
        ValueError, match=r"a and b must have the same shape, got \(4, 6\) and \(4, 5\)"
    ):
        agreement.rank_correlation(a, b[:, :5])
    b[0, 0] = torch.nan
    with pytest.raises(ValueError, match="b must be finite, got 1 NaN"):
        agreement.pairwise_rank_agreement(a, b)
    with pytest.raises(ValueError, match="a and b must have at least 2 features"):
        agreement.pairwise_rank_agreement(a[:, :1], a[:, :1])
    with pytest.raises(TypeError, match=r"a must be floating-point, got torch\.int64"):
        agreement.rank_correlation(a.long(), b)


def test_low_precision_input() -> None:
    a, b = torch.randn(2, 4, 300).bfloat16().unbind()
    for name in AGREEMENT_NAMES:
        found = measure(name, a, b)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, measure(name, a.double(), b.double()).float())
