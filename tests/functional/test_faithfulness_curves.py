from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pear_lightning.functional import (
    deletion,
    insertion,
    irof,
    negative_perturbation,
    perturbation_area,
    positive_perturbation,
    region_perturbation,
    reverse_curve,
)
from tests.functional.set_functions import (
    NOTHING,
    Additive,
    SetFunction,
    bool_row,
    random_saliency,
    row,
)
from tests.reference import faithfulness as reference

DEEPFAITH: dict[str, Any] = {"include_start": False, "normalize": False}
CHEFER: dict[str, Any] = {"include_start": False, "include_end": False}

seeds = st.integers(0, 10**6)


def curve(f: reference.Output, sets: Sequence[frozenset[int]], n: int) -> tuple[Tensor, Tensor]:
    """Scores and fractions removed, ``(1, P)`` each."""
    return row([f(gone) for gone in sets]), row([len(gone) / n for gone in sets])


def insertion_curve(
    f: reference.Output, sets: Sequence[frozenset[int]], n: int
) -> tuple[Tensor, Tensor]:
    """Scores and fractions inserted."""
    return row([f(gone) for gone in sets]), row([1 - len(gone) / n for gone in sets])


@given(seeds, st.integers(3, 8), st.integers(3, 8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_areas_equal_the_definitions(seed: int, n: int, steps: int, ties: bool) -> None:
    f, s = SetFunction(seed), random_saliency(seed, n, ties)
    steps = min(n, steps)
    most = reference.removal_sets(s, steps)
    least = reference.removal_sets(s, steps, least_first=True)
    inserted = reference.insertion_sets(s, steps)
    for options, area in (({}, reference.area), (DEEPFAITH, reference.deepfaith_area)):
        found = {
            "deletion": deletion(*curve(f, most, n), **options),
            "insertion": insertion(*insertion_curve(f, inserted, n), **options),
            "positive": positive_perturbation(*curve(f, most, n), **options),
            "negative": negative_perturbation(*curve(f, least, n), **options),
            "irof": irof(*curve(f, most, n), **options),
        }
        expected = {
            "deletion": reference.deletion(f, s, steps, area),
            "insertion": reference.insertion(f, s, steps, area),
            "positive": reference.perturbation(f, s, steps, area, least_first=False),
            "negative": reference.perturbation(f, s, steps, area, least_first=True),
            "irof": reference.irof(f, s, steps, area),
        }
        for name, result in found.items():
            assert result.values.item() == pytest.approx(expected[name]), name
            assert not result.undefined.any()
    assert region_perturbation(*curve(f, most, n)).values.item() == pytest.approx(
        reference.region_perturbation(f, s, steps)
    )
    assert region_perturbation(*curve(f, most, n), include_start=False).values.item() == (
        pytest.approx(reference.deepfaith_region_perturbation(f, s, steps))
    )


@given(seeds, st.integers(4, 8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_accuracy_and_freezing_equal_the_definitions(seed: int, n: int, least: bool) -> None:
    f, s = SetFunction(seed), random_saliency(seed, n)
    function = negative_perturbation if least else positive_perturbation
    sets = reference.removal_sets(s, n, least)
    hits = bool_row([f.hit(gone) for gone in sets])
    for accuracy, freeze in ((True, False), (False, True), (True, True)):
        for options, area in (
            ({}, reference.area),
            (CHEFER, reference.inner_area),
            (DEEPFAITH, reference.deepfaith_area),
        ):
            result = function(
                *curve(f, sets, n),
                hits,
                value="accuracy" if accuracy else "score",
                freeze=freeze,
                **options,
            )
            expected = reference.perturbation(
                f, s, n, area, least_first=least, hit=f.hit, accuracy=accuracy, freeze=freeze
            )
            assert result.values.item() == pytest.approx(expected)


@given(seeds, st.integers(1, 9), st.floats(-2, 2))
@settings(max_examples=60, deadline=None)
def test_additive_output(seed: int, n: int, offset: float) -> None:
    c = random_saliency(seed, n)
    f = Additive(c, offset)
    original, empty = f(NOTHING), f(frozenset(range(n)))
    ranked = sorted(c, reverse=True)
    most = curve(f, reference.removal_sets(c), n)
    least = curve(f, reference.removal_sets(c, least_first=True), n)
    weighted = sum(x * (n - i - 0.5) / n for i, x in enumerate(ranked))
    exact = {
        "deletion": original - weighted,
        "insertion": empty + weighted,
        "region": sum(x * (n - i) / (n + 1) for i, x in enumerate(ranked)),
    }
    close = {name: pytest.approx(value, abs=1e-9) for name, value in exact.items()}
    assert deletion(*most).values.item() == close["deletion"]
    assert positive_perturbation(*most).values.item() == close["deletion"]
    assert insertion(*reverse_curve(*least)).values.item() == close["insertion"]
    assert negative_perturbation(*least).values.item() == close["insertion"]
    assert (deletion(*most).values + negative_perturbation(*least).values).item() == pytest.approx(
        original + empty, abs=1e-9
    )
    assert region_perturbation(*most).values.item() == close["region"]
    assert region_perturbation(*most, include_start=False).values.item() == pytest.approx(
        exact["region"] * (n + 1) / n, abs=1e-9
    )
    if n > 1:  # the two forms differ by the first trapezoid
        scores = most[0][0]
        difference = deletion(*most).values - deletion(*most, **DEEPFAITH).values
        assert difference.item() == pytest.approx((scores[0] + scores[1]).item() / (2 * n))


@given(seeds, st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_the_contributions_of_an_additive_output_are_never_beaten(seed: int, n: int) -> None:
    c = random_saliency(seed, n)
    f = Additive(c)
    rival = random_saliency(seed + 1, n)

    def values(s: Sequence[float]) -> tuple[float, float, float]:
        most = curve(f, reference.removal_sets(s), n)
        least = curve(f, reference.removal_sets(s, least_first=True), n)
        return (
            deletion(*most).values.item(),
            negative_perturbation(*least).values.item(),
            region_perturbation(*most).values.item(),
        )

    best, other = values(c), values(rival)
    assert best[0] <= other[0] + 1e-9
    assert best[1] >= other[1] - 1e-9
    assert best[2] >= other[2] - 1e-9


@given(seeds, st.integers(2, 8))
@settings(max_examples=40, deadline=None)
def test_identities_of_any_output(seed: int, n: int) -> None:
    f, s = SetFunction(seed), random_saliency(seed, n)
    most = curve(f, reference.removal_sets(s), n)
    least = curve(f, reference.removal_sets(s, least_first=True), n)
    negated = curve(f, reference.removal_sets([-x for x in s], least_first=True), n)
    area = deletion(*most).values
    torch.testing.assert_close(insertion(*reverse_curve(*negated)).values, area)
    torch.testing.assert_close(
        insertion(*reverse_curve(*least)).values, negative_perturbation(*least).values
    )
    torch.testing.assert_close(irof(*most).values, 1 - area / f(NOTHING))
    torch.testing.assert_close(
        irof(*most, **DEEPFAITH).values,
        (n - 1) / n - deletion(*most, **DEEPFAITH).values / f(NOTHING),
    )
    torch.testing.assert_close(deletion(*most, value="ratio").values, area / f(NOTHING))
    torch.testing.assert_close(
        insertion(*reverse_curve(*least), value="ratio").values,
        insertion(*reverse_curve(*least)).values / f(NOTHING),
    )


def test_constant_output() -> None:
    scores, fractions = torch.full((1, 5), 0.4), torch.linspace(0, 1, 5)
    for function in (deletion, insertion, positive_perturbation, negative_perturbation):
        torch.testing.assert_close(function(scores, fractions).values, torch.tensor([0.4]))
        assert function(torch.ones(1, 5), fractions).values == 1
        assert function(torch.ones(1, 5), fractions, **DEEPFAITH).values == 0.75
    for function in (irof, region_perturbation):
        assert function(scores, fractions).values == 0
        assert not function(scores, fractions).undefined.any()


def test_freezing_at_a_known_step() -> None:
    scores = torch.tensor([[0.9, 0.6, 0.3, 0.7, 0.1]])
    hits = torch.tensor([[True, True, False, True, False]])
    fractions = torch.linspace(0, 1, 5)
    value = positive_perturbation(scores, fractions, hits, freeze=True).values
    torch.testing.assert_close(value, torch.tensor([(0.45 + 0.6 + 0.3 + 0.3 + 0.15) / 4]))
    value = positive_perturbation(scores, fractions, hits, value="accuracy").values
    torch.testing.assert_close(value, torch.tensor([(0.5 + 1 + 0 + 1 + 0) / 4]))
    value = positive_perturbation(scores, fractions, hits, value="accuracy", freeze=True).values
    torch.testing.assert_close(value, torch.tensor([(0.5 + 1) / 4]))


def test_samples_with_different_numbers_of_features() -> None:
    """Where a sample has fewer features than there are steps, points repeat."""
    f = SetFunction(1)
    saliency = [random_saliency(seed, n) for seed, n in ((1, 8), (2, 5), (3, 2), (4, 1))]
    counts = [reference.boundaries(len(s), 8) for s in saliency]
    orders = [reference.most_relevant_first(s) for s in saliency]
    scores = torch.tensor(
        [
            [f(frozenset(order[:k])) for k in row_counts]
            for order, row_counts in zip(orders, counts, strict=True)
        ]
    )
    fractions = torch.tensor(
        [[k / len(s) for k in row_counts] for s, row_counts in zip(saliency, counts, strict=True)]
    )
    for function, plainly in (
        (deletion, reference.deletion),
        (region_perturbation, reference.region_perturbation),
        (irof, reference.irof),
    ):
        expected = torch.tensor([plainly(f, s) for s in saliency])
        torch.testing.assert_close(function(scores, fractions).values, expected)
    short = deletion(scores, fractions, **DEEPFAITH)
    assert short.undefined.tolist() == [False, False, False, True]
    for s, value in zip(saliency[:3], short.values, strict=False):
        expected = reference.deletion(f, s, area=reference.deepfaith_area)
        assert value.item() == pytest.approx(expected)


def test_values_are_of_one_sample_each() -> None:
    scores, fractions = torch.rand(5, 7), torch.linspace(0, 1, 7).expand(5, -1)
    hits = torch.rand(5, 7) > 0.3
    functions: list[Any] = [
        lambda y, t, h: deletion(y, t),
        lambda y, t, h: positive_perturbation(y, t, h, freeze=True),
        lambda y, t, h: negative_perturbation(y, t, h, value="accuracy"),
        lambda y, t, h: irof(y, t),
        lambda y, t, h: region_perturbation(y, t),
    ]
    for function in functions:
        together = function(scores, fractions, hits).values
        rows = zip(scores[:, None], fractions[:, None], hits[:, None], strict=True)
        assert torch.equal(together, torch.cat([function(*each).values for each in rows]))


def test_irof_of_an_output_near_zero_is_undefined() -> None:
    scores = torch.tensor([[1e-7, 0.3, 0.2], [0.5, 0.3, 0.2]])
    result = irof(scores, torch.tensor([0, 0.5, 1]))
    assert result.undefined.tolist() == [True, False]
    assert result.values[0] == 0
    assert not irof(scores, torch.tensor([0, 0.5, 1]), threshold=1e-9).undefined.any()


def test_errors() -> None:
    scores, fractions = torch.rand(2, 4), torch.linspace(0, 1, 4)
    with pytest.raises(ValueError, match=r"value must be one of .*, got 'logit'"):
        perturbation_area(scores, fractions, value="logit")  # type: ignore[arg-type]
    for options in ({"freeze": True}, {"value": "accuracy"}):
        with pytest.raises(ValueError, match=r"hits must be a tensor \(B, P\)"):
            deletion(scores, fractions, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hits and scores must have the same shape"):
        deletion(scores, fractions, scores[:, 1:] > 0, freeze=True)
    with pytest.raises(ValueError, match="threshold must be at least 0, got -1"):
        irof(scores, fractions, threshold=-1)
    functions: list[Any] = [deletion, insertion, irof, region_perturbation]
    for function in functions:
        with pytest.raises(ValueError, match="scores must be finite, got 8 NaN"):
            function(scores * torch.nan, fractions)
        with pytest.raises(ValueError, match=r"scores and (fractions|original) must have shapes"):
            function(scores[0], fractions)
        with pytest.raises(ValueError, match="fractions must ascend"):
            function(scores, 1 - fractions)
