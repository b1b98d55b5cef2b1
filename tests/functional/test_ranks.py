import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pear_lightning.functional import average_ranks, hard_ranks

METHODS = {"average": "average", "dense": "dense", "ordinal": "ordinal"}


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=1, max_size=4),
    st.sampled_from(sorted(METHODS)),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_equals_scipy(values: list[list[int]], ties: str, descending: bool) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    signed = -x if descending else x
    expected = torch.from_numpy(stats.rankdata(signed.numpy(), method=METHODS[ties], axis=-1))
    ranks = hard_ranks(x, ties=ties, descending=descending)
    assert torch.equal(ranks, expected.float())


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5), (0, 5), (3, 1)])
def test_any_leading_dimensions(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, requires_grad=True)
    ranks = average_ranks(x)
    assert ranks.shape == shape
    assert not ranks.requires_grad


def test_dtype_is_float32_at_least() -> None:
    assert average_ranks(torch.rand(3, 300).bfloat16()).dtype == torch.float32
    assert average_ranks(torch.rand(3).double()).dtype == torch.float64


def test_refuses_unknown_ties() -> None:
    with pytest.raises(ValueError, match=r"ties must be one of .*, got 'max'"):
        hard_ranks(torch.rand(3), ties="max")  # type: ignore[arg-type]
