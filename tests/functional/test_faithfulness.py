from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pear_lightning.functional import (
    PerSample,
    faithfulness_correlation,
    faithfulness_estimate,
    infidelity,
    monotonicity_correlation,
)
from tests.functional.set_functions import (
    NOTHING,
    Additive,
    SetFunction,
    random_saliency,
    random_subsets,
    row,
)
from tests.reference import faithfulness as reference


def over_subsets(
    f: reference.Output, s: Sequence[float], subsets: Sequence[frozenset[int]]
) -> tuple[Tensor, Tensor]:
    """Sums of saliency and drops, ``(1, K)`` each."""
    sums = [sum(s[i] for i in gone) for gone in subsets]
    return row(sums), row([f(NOTHING) - f(gone) for gone in subsets])


def single_drops(f: reference.Output, n: int) -> Tensor:
    return row([f(NOTHING) - f(frozenset({i})) for i in range(n)])


seeds = st.integers(0, 10**6)


@given(seeds, st.integers(2, 7), st.integers(2, 12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_subsets_equal_the_definitions(seed: int, n: int, count: int, ties: bool) -> None:
    f, s = SetFunction(seed), random_saliency(seed, n, ties)
    for size in (None, 1, n - 1):
        subsets = random_subsets(seed, n, count, size)
        pair = over_subsets(f, s, subsets)
        assert faithfulness_correlation(*pair).values.item() == pytest.approx(
            reference.faithfulness_correlation(f, s, subsets), abs=1e-9
        )
        for normalize in (False, True):
            assert infidelity(*pair, normalize=normalize).values.item() == pytest.approx(
                reference.infidelity(f, s, subsets, normalize), abs=1e-12
            )


@given(seeds, st.integers(2, 8), st.booleans())
@settings(max_examples=60, deadline=None)
def test_single_features_equal_the_definitions(seed: int, n: int, ties: bool) -> None:
    f, s = SetFunction(seed), random_saliency(seed, n, ties)
    assert faithfulness_estimate(row(s), single_drops(f, n)).values.item() == pytest.approx(
        reference.faithfulness_estimate(f, s)
    )
    fs = [SetFunction(seed + draw) for draw in range(3)]
    fs = [lambda gone, g=g: g(gone) if gone else f(gone) for g in fs]  # one f(x) for all draws
    drops = torch.stack([single_drops(g, n) for g in fs], dim=1)
    assert monotonicity_correlation(row(s), drops).values.item() == pytest.approx(
        reference.monotonicity_correlation(fs, s)
    )
    assert monotonicity_correlation(row(s), drops[:, 0]).values.item() == pytest.approx(
        reference.monotonicity_correlation(fs[:1], s)
    )


@given(seeds, st.integers(3, 9), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_chunks_equal_the_form_of_deepfaith(seed: int, n: int, steps: int) -> None:
    steps = min(n, steps)
    f, s = SetFunction(seed), random_saliency(seed, n)
    chunks = [frozenset(chunk) for chunk in reference.chunks(s, steps)]
    sums, drops = over_subsets(f, s, chunks)
    assert faithfulness_estimate(sums, drops).values.item() == pytest.approx(
        reference.deepfaith_faithfulness_estimate(f, s, steps)
    )
    assert monotonicity_correlation(
        sums.flip(-1), drops.flip(-1), absolute=False
    ).values.item() == pytest.approx(reference.deepfaith_monotonicity_correlation(f, s, steps))


@given(seeds, st.integers(3, 8))
@settings(max_examples=40, deadline=None)
def test_contributions_of_an_additive_output_are_perfect(seed: int, n: int) -> None:
    c = random_saliency(seed, n)
    f = Additive(c, offset=0.3)
    drops = single_drops(f, n)
    varied = random_subsets(seed, n, 30)
    fixed = random_subsets(seed, n, 30, size=2)
    one = pytest.approx(1)
    for subsets in (varied, fixed):
        assert faithfulness_correlation(*over_subsets(f, c, subsets)).values.item() == one
        assert infidelity(*over_subsets(f, c, subsets)).values.item() == pytest.approx(0, abs=1e-20)
    assert faithfulness_estimate(row(c), drops).values.item() == one
    assert monotonicity_correlation(row(c), drops).values.item() == one
    # an offset cancels where all subsets have one size
    shifted = [3 * each + 5 for each in c]
    assert faithfulness_correlation(*over_subsets(f, shifted, fixed)).values.item() == one
    # beta = 1/7 takes the unit out
    sevenfold = over_subsets(f, [7 * each for each in c], varied)
    assert infidelity(*sevenfold, normalize=True).values.item() == pytest.approx(0, abs=1e-20)
    assert infidelity(*sevenfold).values.item() == pytest.approx(
        36 * sevenfold[1].square().mean().item()
    )


@given(seeds, st.integers(2, 8), st.floats(1e-20, 1e20))
@settings(max_examples=40, deadline=None)
def test_scale_and_sign_of_the_saliency(seed: int, n: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    s, drops = torch.randn(2, 3, n, generator=generator).unbind()
    for function in (faithfulness_correlation, faithfulness_estimate):
        values = function(s, drops).values
        torch.testing.assert_close(function(scale * s, drops).values, values)
        torch.testing.assert_close(function(-s, drops).values, -values)
        torch.testing.assert_close(function(s, scale * drops).values, values)
    values = monotonicity_correlation(s, drops).values
    for same in ((-s * scale, drops), (s**3, drops), (s, -scale * drops)):
        torch.testing.assert_close(monotonicity_correlation(*same).values, values)
    best = infidelity(s, drops, normalize=True).values
    torch.testing.assert_close(infidelity(scale * s, drops, normalize=True).values, best)
    for other in (s, 0 * s, -s, 2 * s):
        assert (best <= infidelity(other, drops).values + 1e-6).all()


def test_an_offset_counts_where_subsets_differ_in_size() -> None:
    c = random_saliency(0, 6)
    shifted = [2 * each + 5 for each in c]
    pair = over_subsets(Additive(c), shifted, random_subsets(0, 6, 100))
    assert faithfulness_correlation(*pair).values < 0.9


def test_an_offset_changes_no_rank_and_no_pearson() -> None:
    s, drops = torch.randn(2, 3, 7, dtype=torch.float64).unbind()
    for function in (faithfulness_correlation, faithfulness_estimate):
        torch.testing.assert_close(function(2 * s + 5, drops).values, function(s, drops).values)


RAGGED: list[Any] = [faithfulness_estimate, monotonicity_correlation]


@pytest.mark.parametrize("function", RAGGED)
def test_features_that_a_sample_lacks_do_not_count(function: Any) -> None:
    s, drops = torch.randn(2, 4, 6).unbind()
    present = torch.tensor([[True] * k + [False] * (6 - k) for k in (6, 4, 2, 1)])
    result = function(
        s.masked_fill(~present, torch.nan), drops.masked_fill(~present, torch.inf), present
    )
    for k, value in zip((6, 4, 2), result.values, strict=False):
        i = [6, 4, 2].index(k)
        torch.testing.assert_close(value[None], function(s[i : i + 1, :k], drops[i : i + 1, :k])[0])
    assert result.undefined.tolist() == [False, False, False, True]
    assert result.values[3] == 0


@pytest.mark.parametrize(
    "function", [faithfulness_correlation, faithfulness_estimate, monotonicity_correlation]
)
def test_constant_model_and_constant_saliency(function: Any) -> None:
    s, constant = torch.randn(1, 6), torch.full((1, 6), 0.1)
    for pair in ((s, 0 * constant), (constant, s), (0 * constant, s), (constant, constant)):
        result = function(*pair)
        assert result.undefined.all()
        assert result.values == 0


def test_infidelity_of_nothing_is_the_mean_square_of_the_drops() -> None:
    drops = torch.randn(2, 9)
    for normalize in (False, True):
        result = infidelity(0 * drops, drops, normalize=normalize)
        torch.testing.assert_close(result.values, drops.square().mean(dim=1))
        assert not result.undefined.any()
        assert (infidelity(drops, 0 * drops, normalize=True).values == 0).all()


def test_one_feature_that_matters() -> None:
    drops = torch.tensor([[0.0, 0.7, 0.0, 0.0]])
    found, missed = torch.tensor([[0.0, 3.0, 0.0, 0.0]]), torch.tensor([[3.0, 0.0, 0.0, 0.0]])
    for function in RAGGED:
        torch.testing.assert_close(function(found, drops).values, torch.ones(1))
        torch.testing.assert_close(function(missed, drops).values, torch.tensor([-1 / 3]))


def test_an_interaction() -> None:
    def product(removed: frozenset[int]) -> float:
        return 0.0 if removed & {0, 1} else 6.0

    drops = single_drops(product, 3)
    assert drops.tolist() == [[6, 6, 0]]
    assert faithfulness_estimate(row([1, 1, 0]), drops).values.item() == pytest.approx(1)
    # both are removed together: the full drop once, not twice
    assert infidelity(*over_subsets(product, [3, 3, 0], [frozenset({0, 1})])).values == 0


def test_small_effects_keep_their_ranks() -> None:
    s = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert monotonicity_correlation(s, s * 1e-30).values.item() == pytest.approx(1)


def test_values_are_of_one_sample_each() -> None:
    s, drops = torch.randn(2, 5, 7).unbind()
    functions: list[Any] = [
        faithfulness_correlation,
        *RAGGED,
        infidelity,
        lambda s, drops: infidelity(s, drops, normalize=True),
    ]
    for function in functions:
        together: PerSample = function(s, drops)
        alone = [function(*each) for each in zip(s[:, None], drops[:, None], strict=True)]
        assert torch.equal(together.values, torch.cat([each.values for each in alone]))
        order = torch.randperm(7)
        torch.testing.assert_close(function(s[:, order], drops[:, order]), together)


def test_precision() -> None:
    s, drops = torch.randn(2, 5, 40).bfloat16().unbind()
    functions: list[Any] = [faithfulness_correlation, *RAGGED, infidelity]
    for function in functions:
        exact = function(s.double(), drops.double()).values
        assert exact.dtype == torch.float64
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = function(s, drops).values
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, exact.float())


def test_gradients() -> None:
    s, drops = torch.randn(2, 2, 6, dtype=torch.float64).unbind()
    s.requires_grad_()
    functions: list[Any] = [
        faithfulness_correlation,
        faithfulness_estimate,
        infidelity,
        lambda s, drops: infidelity(s, drops, normalize=True),
    ]
    for function in functions:
        assert torch.autograd.gradcheck(lambda x, f=function: f(x, drops).values, (s,))


def test_errors_name_the_argument() -> None:
    s = torch.randn(2, 6)
    for function, name in (
        (faithfulness_correlation, "removed_saliency"),
        (infidelity, "removed_saliency"),
        (faithfulness_estimate, "saliency"),
        (monotonicity_correlation, "saliency"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be finite, got 12 NaN"):
            function(s * torch.nan, s)
        with pytest.raises(ValueError, match="drops must be finite, got 12 NaN"):
            function(s, s * torch.nan)
        with pytest.raises(ValueError, match="must have the same shape"):
            function(s, s[:, :3])
        with pytest.raises(TypeError, match=f"^{name} must be floating-point"):
            function(s.long(), s)
        with pytest.raises(TypeError, match="drops must be floating-point"):
            function(s, s.long())
    with pytest.raises(ValueError, match=r"drops must have shape .*, got \(2, 0, 6\)"):
        monotonicity_correlation(s, s[:, None][:, :0])


def test_empty_batch() -> None:
    nothing = torch.zeros(0, 6)
    for function in (faithfulness_correlation, infidelity, *RAGGED):
        assert function(nothing, nothing).values.shape == (0,)
