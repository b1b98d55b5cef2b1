"""The hash is the same in NumPy, which is faster, and in torch, which runs on every device."""

import pytest
import torch

from pear_lightning.functional import splitmix64
from pear_lightning.functional.hashed_random import hashed_keys, hashed_numbers, hashed_uniform


@pytest.mark.parametrize("draw", [hashed_keys, hashed_numbers, hashed_uniform])
@pytest.mark.parametrize("size", [1, 7, 300])
def test_numpy_and_torch_draw_the_same_numbers(monkeypatch, draw, size):
    seeds, draws = torch.tensor([3, -(2**62), 2**63 - 1]), torch.arange(40)
    expected = draw(seeds, draws, size)
    monkeypatch.setattr(splitmix64, "is_traced", lambda tensor: True)
    torch.testing.assert_close(draw(seeds, draws, size), expected, rtol=0, atol=0)


def test_blocks_do_not_change_numbers(monkeypatch):
    seeds, draws = torch.arange(5), torch.arange(11)
    expected = hashed_numbers(seeds, draws, 6)
    for numbers in (1, 6, 13, 40):
        monkeypatch.setattr(splitmix64, "_NUMBERS_IN_CACHE", numbers)
        assert torch.equal(hashed_numbers(seeds, draws, 6), expected)


def test_no_samples_and_no_draws():
    assert hashed_numbers(torch.zeros(0).long(), torch.arange(2), 3).shape == (2, 0, 3)
    assert hashed_uniform(torch.zeros(2).long(), torch.arange(0), 3).shape == (0, 2, 3)


def test_numbers_under_a_transform():
    seeds = torch.arange(3)

    def noise(row):
        return row * hashed_uniform(seeds, torch.arange(1), 2)[0, 0]

    rows = torch.ones(4, 2)
    assert torch.equal(torch.func.vmap(noise)(rows)[0], noise(rows[0]))
