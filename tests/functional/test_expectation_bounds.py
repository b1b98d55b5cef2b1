import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.functional.expectation_bounds import expectation_bounds
from tests.reference.robust_reasons import vertices


def setting(seed, n_outcomes, rows, shared, size=0.5):
    torch.manual_seed(seed)
    values = torch.randn(n_outcomes, 1 if shared else rows, 4).double()
    p = torch.randn(n_outcomes, rows).double().softmax(0)
    return values, p * (1 - size * torch.rand_like(p)), p + size * torch.rand_like(p) * (1 - p)


@pytest.mark.parametrize("shared", [True, False])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n_outcomes=st.integers(2, 5), rows=st.sampled_from([1, 3, 6]))
def test_they_are_the_extremes_over_all_corners(shared, seed, n_outcomes, rows):
    values, least, most = setting(seed, n_outcomes, rows, shared)
    low, high = expectation_bounds(values, least, most)
    for b in range(rows):
        corners = torch.stack(vertices(least[:, b], most[:, b]))  # (corners, K)
        means = corners @ values[:, 0 if shared else b]
        torch.testing.assert_close(low[b], means.amin(0))
        torch.testing.assert_close(high[b], means.amax(0))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("rows", [2, 6])
def test_derivatives(shared, rows):
    leaves = [each.requires_grad_() for each in setting(0, 4, rows, shared)]
    assert torch.autograd.gradcheck(expectation_bounds, leaves)


def test_probabilities_that_are_known_give_the_expectation_and_its_derivatives():
    values, p, _ = setting(0, 4, 6, shared=True)
    z = p.log().requires_grad_()
    p = z.softmax(0)
    wanted = torch.einsum("kn,kb->bn", values[:, 0], p)
    (slope,) = torch.autograd.grad(wanted.sin().sum(), z, retain_graph=True)
    for found in expectation_bounds(values, p, p):
        torch.testing.assert_close(found, wanted)
        (own,) = torch.autograd.grad(found.sin().sum(), z, retain_graph=True)
        torch.testing.assert_close(own, slope)


def test_a_constant_is_added_to_both():
    values, least, most = setting(1, 4, 6, shared=True)
    low, high = expectation_bounds(values, least, most)
    moved_low, moved_high = expectation_bounds(values + 100, least, most)
    torch.testing.assert_close(moved_low, low + 100)
    torch.testing.assert_close(moved_high, high + 100)
