from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from pear_lightning.functional import isotonic
from pear_lightning.functional.soft_rank import TABLE_UP_TO, soft_rank
from tests.reference import soft_rank as reference
from tests.reference.correlation import average_ranks

SEARCHES = [isotonic.blocks_by_table, isotonic.blocks_by_slopes, isotonic.blocks_by_pooling]
TINY, LARGE = 8, TABLE_UP_TO + 8  # features on either side of the change of search

FIXTURES = [
    ([3, 1, 2, 2], 0.01, [4, 1, 2.5, 2.5]),
    ([3, 1, 2, 2], 1, [3.5, 1.5, 2.5, 2.5]),
    ([0.1, 0.5, 0.3], 0.5, [1.6, 2.4, 2.0]),
    ([0.1, 0.15, 0.9], 0.2, [1.375, 1.625, 3]),
    ([0.1, 0.2, 0.9, 0.3], 0.2, [1.5, 2.0, 4.0, 2.5]),
    ([0.2, 0.1, 0.75, 0.4], 0.2, [11 / 6, 4 / 3, 4, 17 / 6]),
    ([1, 2, 4, 8], 100, [2.4725, 2.4825, 2.5025, 2.5425]),
    ([0, 0, 0, 0], 0.2, [2.5, 2.5, 2.5, 2.5]),
    ([7.0], 0.2, [1.0]),
]


def rows(seed: int, *size: int, kind: str = "normal") -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, generator=generator, dtype=torch.float64)
    if kind == "saliency":
        x = x.abs() / x.abs().amax(dim=-1, keepdim=True)
    if kind == "ties":
        x = (x * 2).round() / 2
    if kind == "constant":
        x = x[..., :1].expand(size).clone()
    return x


@pytest.mark.parametrize(("x", "strength", "expected"), FIXTURES)
def test_fixture(x: list[float], strength: float, expected: list[float]) -> None:
    ranks = soft_rank(torch.tensor(x, dtype=torch.float64), strength)
    torch.testing.assert_close(ranks, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(
    ("x", "strength", "expected"),
    [
        ([0.1, 0.15, 0.9], 0.2, [[2.5, -2.5, 0], [-2.5, 2.5, 0], [0, 0, 0]]),
        (
            [0.1, 0.2, 0.9, 0.3],
            0.2,
            [
                [10 / 3, -5 / 3, 0, -5 / 3],
                [-5 / 3, 10 / 3, 0, -5 / 3],
                [0, 0, 0, 0],
                [-5 / 3, -5 / 3, 0, 10 / 3],
            ],
        ),
        ([0, 0, 0, 0], 0.2, [[3.75 if i == j else -1.25 for j in range(4)] for i in range(4)]),
        ([3, 1, 2, 2], 0.01, [[0] * 4, [0] * 4, [0, 0, 50, -50], [0, 0, -50, 50]]),
    ],
)
def test_fixture_jacobian(x: list[float], strength: float, expected: list[list[float]]) -> None:
    jacobian = torch.autograd.functional.jacobian(
        partial(soft_rank, strength=strength), torch.tensor(x, dtype=torch.float64)
    )
    torch.testing.assert_close(jacobian, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["normal", "saliency", "ties", "constant"])
@pytest.mark.parametrize("relative", [0.04, 0.4, 1, 4])
@pytest.mark.parametrize("n", [1, 2, 8, 16])
def test_equals_the_min_max_formula(n: int, relative: float, kind: str) -> None:
    x = rows(n, 3, n, kind=kind).requires_grad_()
    # no gap may equal the strength: the gradient is a choice there
    strength = relative / n * 1.0123
    ours, theirs = soft_rank(x, strength), reference.soft_rank(x, strength)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    if kind in ("normal", "saliency"):  # at ties autograd through sort and max chooses
        weights = rows(1, 3, n)
        grads = [torch.autograd.grad((r * weights).sum(), x)[0] for r in (ours, theirs)]
        torch.testing.assert_close(*grads, rtol=0, atol=1e-9 / strength)


@pytest.mark.slow
@pytest.mark.parametrize("n", [64, 196])
def test_equals_the_min_max_formula_for_many_features(n: int) -> None:
    for relative in (0.4, 4):
        x = rows(n, 1, n, kind="saliency")
        with torch.no_grad():
            theirs = reference.soft_rank(x, relative / n)
        torch.testing.assert_close(soft_rank(x, relative / n), theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "saliency", "ties", "constant"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 24, 33, 100])
def test_all_searches_find_the_same_blocks(n: int, kind: str) -> None:
    for relative in (0.05, 0.4, 1.5, 10):
        values = rows(n, 5, n, kind=kind).div(relative / n * 1.0123).sort(descending=True).values
        first, *others = (search(values) for search in SEARCHES)
        for other in others:
            assert torch.equal(first, other)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, float]:
    n = draw(st.integers(1, 40))
    values = st.integers(-20, 20) if draw(st.booleans()) else st.floats(-5, 5, width=32)
    x = draw(st.lists(values, min_size=n, max_size=n))
    return torch.tensor(x, dtype=torch.float64), draw(st.sampled_from([0.011, 0.23, 1.7, 40.3]))


@given(problems())
@settings(max_examples=150, deadline=None)
def test_properties(problem: tuple[Tensor, float]) -> None:
    x, strength = problem
    n = len(x)
    ranks = soft_rank(x, strength)
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-7)
    close(ranks.sum(), torch.tensor(n * (n + 1) / 2).double())
    assert ranks.min() >= 1 - 1e-7
    assert ranks.max() <= n + 1e-7
    # order is kept, and equal values have equal ranks
    by_value = ranks[x.argsort()]
    assert (by_value.diff() >= -1e-7).all()
    for value in x.unique():
        assert ranks[x == value].max() - ranks[x == value].min() <= 1e-7
    close(soft_rank(x + 3.0, strength), ranks)
    close(soft_rank(x * 4.0, strength * 4.0), ranks)
    permutation = torch.randperm(n)
    close(soft_rank(x[permutation], strength), ranks[permutation])
    close(n + 1 - soft_rank(-x, strength), ranks)  # descending ranks
    # the slope inside a block is 1/strength, and never more between blocks
    gap = (x[:, None] - x) / strength
    difference = ranks[:, None] - ranks
    assert (difference <= gap.clamp(min=0) + 1e-7).all()


@pytest.mark.parametrize("n", [TINY, LARGE, 196])
def test_small_strength_gives_hard_ranks_and_no_gradient(n: int) -> None:
    x = rows(0, 4, n).float()
    x[0, 1] = x[0, 0]  # a tie shares its rank
    gaps = x.sort().values.diff().abs()
    strength = float(gaps[gaps > 0].min()) / 2
    hard = average_ranks(x).float()
    assert torch.equal(soft_rank(x, strength)[1:], hard[1:])
    torch.testing.assert_close(soft_rank(x, strength), hard)
    x = x[1:].requires_grad_()
    (grad,) = torch.autograd.grad((soft_rank(x, strength) * rows(1, 3, n)).sum(), x)
    assert torch.equal(grad, torch.zeros_like(grad))


@pytest.mark.parametrize("n", [TINY, LARGE])
def test_large_strength_is_linear(n: int) -> None:
    x = rows(0, 4, n)
    strength = 2 * float((x.amax(-1) - x.amin(-1)).max()) / n
    linear = (n + 1) / 2 + (x - x.mean(dim=-1, keepdim=True)) / strength
    torch.testing.assert_close(soft_rank(x, strength), linear)


@pytest.mark.parametrize("n", [TINY, LARGE])
@pytest.mark.parametrize("relative", [0.4, 2.5])
def test_first_and_second_derivatives(n: int, relative: float) -> None:
    x = rows(3, 2, n, kind="saliency").requires_grad_()
    strength = torch.tensor([[1.0], [1.5]], dtype=torch.float64) * relative / n
    assert gradcheck(partial(soft_rank, strength=strength), x)
    assert gradgradcheck(partial(soft_rank, strength=strength), x)
    # the ranks are piecewise linear, so bend them for a second derivative that is not zero
    assert gradgradcheck(lambda t: soft_rank(t, strength).pow(3), x)


def test_gradient_reaches_a_strength_tensor() -> None:
    x = rows(3, 2, TINY, kind="saliency")
    strength = torch.full((2, 1), 0.3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda s: soft_rank(x, s), strength)


@pytest.mark.parametrize("n", [TINY, LARGE])
def test_compiles_without_graph_breaks(n: int) -> None:
    x = rows(0, 5, n, kind="saliency").float().requires_grad_()
    weights = rows(1, 5, n).float()
    compiled = torch.compile(soft_rank, fullgraph=True, backend="aot_eager")
    expected, found = soft_rank(x, 0.4 / n), compiled(x, 0.4 / n)
    torch.testing.assert_close(found, expected)
    grads = [torch.autograd.grad((r * weights).sum(), x)[0] for r in (expected, found)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("n", [TINY, LARGE])
def test_vmap_of_grad(n: int) -> None:
    x, weights = rows(0, 5, n, kind="saliency"), rows(1, 5, n)

    def score(row: Tensor, weight: Tensor) -> Tensor:
        return (soft_rank(row, 0.4 / n) * weight).sum()

    per_row = torch.func.vmap(torch.func.grad(score))(x, weights)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(score(x, weights), x)
    torch.testing.assert_close(per_row, expected)
    values = torch.func.vmap(partial(soft_rank, strength=0.4 / n))(x.detach())
    torch.testing.assert_close(values, soft_rank(x.detach(), 0.4 / n))


def test_first_call_in_inference_mode_leaves_later_gradients_working() -> None:
    isotonic._slope_table.cache_clear()
    with torch.inference_mode():
        soft_rank(torch.rand(2, 5), 0.1)
    x = torch.rand(2, 5, requires_grad=True)
    soft_rank(x, 0.1).square().sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("n", [TINY, LARGE])
def test_precision_does_not_depend_on_autocast(dtype: torch.dtype, autocast: bool, n: int) -> None:
    x = rows(0, 4, n, kind="saliency").to(dtype)
    expected = soft_rank(x.double(), 0.4 / n)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        ranks = soft_rank(x, 0.4 / n)
    assert ranks.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(ranks.double(), expected, rtol=0, atol=1e-5)


def test_low_precision_input_gets_a_gradient() -> None:
    x = rows(0, 4, TINY, kind="saliency").bfloat16().requires_grad_()
    soft_rank(x, 0.3).square().sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("scale", "strength", "tolerance"), [(1.0, 0.4 / 196, 1e-3), (1e4, 0.2, 1e-2)]
)
def test_float32_is_precise(scale: float, strength: float, tolerance: float) -> None:
    x = rows(0, 64, 196, kind="saliency").float() * scale
    difference = soft_rank(x, strength) - soft_rank(x.double(), strength)
    assert difference.abs().max() < tolerance


@pytest.mark.parametrize("n", [TINY, LARGE])
def test_rows_do_not_influence_each_other(n: int) -> None:
    x = rows(0, 5, n, kind="saliency").float()
    x[2] = 0.7
    each = torch.cat([soft_rank(row[None], 0.4 / n) for row in x])
    assert torch.equal(soft_rank(x, 0.4 / n), each)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 4), (2, 0, 40), (5, 1), (0, 40)])
def test_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, requires_grad=True)
    ranks = soft_rank(x, 0.1)
    assert ranks.shape == shape
    flat = soft_rank(x.reshape(-1, shape[-1]), 0.1).reshape(shape)
    torch.testing.assert_close(ranks, flat)
    ranks.sum().backward()
    assert x.grad is not None


def test_memory_layout_does_not_matter() -> None:
    x = rows(0, 9, 6).t()
    torch.testing.assert_close(soft_rank(x, 0.4), soft_rank(x.contiguous(), 0.4))


@pytest.mark.parametrize("n", [30, 300])
@pytest.mark.parametrize("where", ["low end", "middle", "high end"])
def test_pooling_that_merges_one_pair_per_round(n: int, where: str) -> None:
    # a run of ties takes in its neighbours, whose gaps are just above 1, one after another
    gaps = torch.full((n,), 1.001, dtype=torch.float64)
    third = n // 3
    start = {"low end": 2 * third, "middle": third, "high end": 1}[where]
    gaps[start : start + third] = 0
    values = -gaps.cumsum(0)[None]
    blocks = isotonic.blocks_by_pooling(values)
    assert torch.equal(blocks, isotonic.blocks_by_slopes(values))


@given(st.lists(st.integers(0, 6), min_size=25, max_size=60))
@settings(max_examples=60, deadline=None)
def test_pooling_equals_all_slopes_on_integer_gaps(gaps: list[int]) -> None:
    values = torch.tensor(gaps, dtype=torch.float64).mul(0.37).cumsum(0).flip(0)[None]
    assert torch.equal(isotonic.blocks_by_pooling(values), isotonic.blocks_by_slopes(values))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_named(value: float) -> None:
    x = torch.rand(3, 4)
    x[1, 2] = value
    with pytest.raises(ValueError, match=r"^x must be finite, got .* of 12"):
        soft_rank(x, 0.1)
    soft_rank(x, 0.1, validate=False)  # terminates, whatever comes out


@pytest.mark.parametrize(
    "strength", [0.0, -1.0, float("nan"), float("inf"), torch.tensor(0.0), torch.ones(3, 4)]
)
def test_refuses_strength(strength: float | Tensor) -> None:
    with pytest.raises(ValueError, match="strength"):
        soft_rank(torch.rand(3, 4), strength)


def test_refuses_other_arguments() -> None:
    with pytest.raises(TypeError, match=r"x must be floating-point, got torch\.int64"):
        soft_rank(torch.tensor([1, 2]), 0.1)
    with pytest.raises(ValueError, match=r"x must have shape .*, got \(2, 0\)"):
        soft_rank(torch.rand(2, 0), 0.1)
    with pytest.raises(ValueError, match=r"backend must be one of .*, got 'numpy'"):
        soft_rank(torch.rand(2, 3), 0.1, backend="numpy")  # type: ignore[arg-type]
