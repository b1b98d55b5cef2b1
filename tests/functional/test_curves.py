from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pear_lightning.functional import (
    area_under_curve,
    freeze_after_flip,
    mean_drop,
    relative_curve,
    reverse_curve,
)
from tests.reference import faithfulness as reference


def curves(seed: int, batch: int = 4, points: int = 6) -> tuple[Tensor, Tensor]:
    """Random scores at uneven fractions from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(batch, points, generator=generator, dtype=torch.float64)
    inner = torch.rand(batch, points - 2, generator=generator, dtype=torch.float64)
    ends = inner.new_zeros(batch, 1)
    return scores, torch.cat([ends, inner.sort(dim=1).values, ends + 1], dim=1)


def repeated(values: Tensor, times: list[int]) -> Tensor:
    return values.repeat_interleave(torch.tensor(times), dim=1)


@given(st.integers(0, 10**6), st.integers(3, 9))
@settings(max_examples=50, deadline=None)
def test_areas_equal_the_definitions(seed: int, points: int) -> None:
    scores, fractions = curves(seed, points=points)
    cases: list[tuple[dict[str, bool], Any]] = [
        ({}, reference.area),
        ({"include_start": False, "normalize": False}, reference.deepfaith_area),
    ]
    if points > 3:
        cases.append(({"include_start": False, "include_end": False}, reference.inner_area))
    for options, plainly in cases:
        result = area_under_curve(scores, fractions, **options)
        rows = zip(fractions.tolist(), scores.tolist(), strict=True)
        assert result.values.tolist() == pytest.approx([plainly(t, y) for t, y in rows])
        assert not result.undefined.any()


@given(st.integers(0, 10**6), st.lists(st.integers(1, 3), min_size=5, max_size=5))
@settings(max_examples=50, deadline=None)
def test_repeated_points_count_for_nothing(seed: int, times: list[int]) -> None:
    scores, fractions = curves(seed, points=5)
    more = repeated(scores, times), repeated(fractions, times)
    for start in (True, False):
        for end in (True, False):
            options = {"include_start": start, "include_end": end}
            torch.testing.assert_close(
                area_under_curve(*more, **options), area_under_curve(scores, fractions, **options)
            )
        torch.testing.assert_close(
            mean_drop(*more, include_start=start),
            mean_drop(scores, fractions, include_start=start),
        )


def test_area_of_a_constant_curve_is_its_height() -> None:
    ones, fractions = torch.ones(1, 5), torch.tensor([0, 0.25, 0.5, 0.75, 1])
    assert area_under_curve(ones, fractions).values == 1
    assert area_under_curve(ones, fractions, include_start=False).values == 1
    assert area_under_curve(ones, fractions, include_start=False, normalize=False).values == 0.75


def test_area_of_rise() -> None:
    scores = torch.rand(3, 9, dtype=torch.float64)
    rise = (scores.sum(dim=1) - scores[:, 0] / 2 - scores[:, -1] / 2) / 8
    fractions = torch.linspace(0, 1, 9, dtype=torch.float64)
    torch.testing.assert_close(area_under_curve(scores, fractions).values, rise)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_areas_of_a_curve_read_from_its_end(seed: int) -> None:
    scores, fractions = curves(seed)
    backwards = reverse_curve(scores, fractions)
    torch.testing.assert_close(
        area_under_curve(*backwards).values, area_under_curve(scores, fractions).values
    )
    torch.testing.assert_close(
        area_under_curve(*backwards, include_start=False).values,
        area_under_curve(scores, fractions, include_end=False).values,
    )
    torch.testing.assert_close(reverse_curve(*backwards), (scores, fractions))


def test_mean_drop_with_and_without_the_start() -> None:
    scores, fractions = curves(0, points=13)
    drops = scores[:, :1] - scores
    with_start = mean_drop(scores, fractions).values
    torch.testing.assert_close(with_start, drops.mean(dim=1))
    without = mean_drop(scores, fractions, include_start=False).values
    torch.testing.assert_close(without, drops[:, 1:].mean(dim=1))
    torch.testing.assert_close(without, with_start * 13 / 12)


def test_a_curve_without_a_step_is_undefined() -> None:
    scores = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.4, 0.3]])
    fractions = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.5, 1.0]])
    for result in (area_under_curve(scores, fractions), mean_drop(scores, fractions)):
        assert result.undefined.tolist() == [True, False]
        assert result.values[0] == 0
        assert result.values[1] != 0
    one_step = area_under_curve(scores[:, :2], torch.tensor([0.0, 1.0]), include_start=False)
    assert one_step.undefined.all()
    assert (one_step.values == 0).all()


@given(st.integers(0, 10**6), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_freezing_equals_the_definition(seed: int, share: float) -> None:
    scores, _ = curves(seed)
    hits = torch.rand(scores.shape, generator=torch.Generator().manual_seed(seed)) < share
    rows = zip(scores.tolist(), hits.tolist(), strict=True)
    expected = torch.tensor([reference.frozen(y, hit) for y, hit in rows], dtype=torch.float64)
    assert torch.equal(freeze_after_flip(scores, hits), expected)


def test_a_lower_output_has_no_larger_area_and_no_smaller_drop() -> None:
    scores, fractions = curves(3)
    lower = scores.clone()
    lower[:, 1:] -= torch.rand_like(lower[:, 1:])
    areas = [area_under_curve(y, fractions).values for y in (lower, scores)]
    drops = [mean_drop(y, fractions).values for y in (lower, scores)]
    assert (areas[0] < areas[1]).all()
    assert (drops[0] > drops[1]).all()


def test_relative_curve() -> None:
    scores = torch.tensor([[0.8, 0.2], [1e-9, 0.5], [0.0, 0.5], [-2.0, -4.0]])
    ratios, undefined = relative_curve(scores, scores[:, 0])
    assert undefined.tolist() == [False, True, True, True]
    torch.testing.assert_close(ratios, torch.tensor([[1, 0.25], [0, 0], [0, 0], [0, 0]]))
    assert not relative_curve(scores[1:2], scores[1:2, 0], threshold=0).undefined.any()


def test_precision() -> None:
    scores, fractions = curves(1, points=40)
    for function in (area_under_curve, mean_drop):
        exact = function(scores, fractions).values
        assert exact.dtype == torch.float64
        half = scores.bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = function(half, fractions.float()).values
            assert result.dtype == torch.float32
            torch.testing.assert_close(
                result, function(half.double(), fractions).values.float(), rtol=1e-5, atol=1e-6
            )
            torch.testing.assert_close(function(scores.float(), fractions).values, exact.float())


def test_gradients() -> None:
    scores, fractions = curves(2, batch=2)
    scores.requires_grad_()
    for function in (area_under_curve, mean_drop):
        assert torch.autograd.gradcheck(lambda y, f=function: f(y, fractions).values, (scores,))
    ratios = torch.autograd.grad(
        relative_curve(scores, torch.zeros(2).double()).values.sum(), scores
    )
    assert (ratios[0] == 0).all()


def test_empty_batch() -> None:
    scores, fractions = torch.zeros(0, 3), torch.zeros(0, 3)
    for result in (
        area_under_curve(scores, fractions),
        mean_drop(scores, fractions),
        relative_curve(scores, scores[:, 0]),
    ):
        assert len(result.values) == len(result.undefined) == 0


@pytest.mark.parametrize("function", [area_under_curve, mean_drop, reverse_curve])
def test_errors_name_the_argument(function: Any) -> None:
    scores, fractions = curves(0)
    with pytest.raises(ValueError, match="scores must be finite, got 24 NaN"):
        function(scores * torch.nan, fractions)
    with pytest.raises(ValueError, match="fractions must be finite, got 0 NaN and 1 infinite"):
        function(scores, fractions.masked_fill(fractions == fractions.max(dim=0).values[1], 9e999))
    with pytest.raises(
        ValueError, match=r"scores and fractions must have shapes .*, got \(4, 6\) and"
    ):
        function(scores, fractions[:2])
    with pytest.raises(ValueError, match="scores and fractions must have shapes"):
        function(scores[0], fractions[0])
    with pytest.raises(ValueError, match="fractions must ascend"):
        function(scores, fractions.flip(-1))
    with pytest.raises(TypeError, match="scores must be floating-point"):
        function(scores.long(), fractions)
    with pytest.raises(TypeError, match="fractions must be floating-point"):
        function(scores, fractions.long())


def test_errors_of_hits_and_ratios() -> None:
    scores, _ = curves(0)
    with pytest.raises(TypeError, match="hits must be bool"):
        freeze_after_flip(scores, scores)
    with pytest.raises(ValueError, match="hits and scores must have the same shape"):
        freeze_after_flip(scores, scores[:, 1:] > 0)
    with pytest.raises(ValueError, match="scores must be finite, got 24 NaN"):
        freeze_after_flip(scores * torch.nan, scores > 0)
    with pytest.raises(ValueError, match="threshold must be at least 0, got -1"):
        relative_curve(scores, scores[:, 0], threshold=-1)
    with pytest.raises(
        ValueError, match=r"scores and original must have shapes \(B, P\) and \(B,\)"
    ):
        relative_curve(scores, scores[:1, 0])
    with pytest.raises(ValueError, match="original must be finite, got 4 NaN"):
        relative_curve(scores, scores[:, 0] * torch.nan)
