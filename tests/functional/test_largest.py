import pytest
import torch

from pear_lightning.functional import largest
from pear_lightning.functional.largest import among_largest


def plain(numbers, counts):
    """The same by sorting, one row after another."""
    keep = torch.zeros(numbers.shape, dtype=torch.bool)
    for k in range(numbers.shape[0]):
        for b in range(numbers.shape[1]):
            order = numbers[k, b].argsort(descending=True)
            keep[k, b, order[: int(counts[b])]] = True
    return keep


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("counts", [[3, 3], [9, 9], [1, 1], [0, 0], [2, 5], [0, 4]])
def test_the_largest_numbers_are_chosen(dtype, counts):
    numbers = torch.rand(50, 2, 9, dtype=dtype)
    numbers[:, 1, 7:] = -1  # as for features that a sample lacks
    counts = torch.tensor(counts)
    if counts[1] > 7:
        numbers[:, 1, 7:] = torch.rand(50, 2, dtype=dtype)
    assert torch.equal(among_largest(numbers, counts), plain(numbers, counts))


def test_numbers_that_share_their_high_bits():
    """The threshold is found in 32 of 64 bits; rows in which that is not enough are done again."""
    close = 0.75 + torch.tensor([0, 3, 1, 2, 5, 4]).double() * 2.0**-50
    numbers = torch.stack([close, torch.rand(6).double()])[None]
    counts = torch.tensor([3, 3])
    assert torch.equal(among_largest(numbers, counts), plain(numbers, counts))


def test_equal_numbers_still_give_the_right_count():
    keep = among_largest(torch.full((4, 3, 8), 0.5, dtype=torch.float64), torch.tensor([5, 5, 5]))
    assert (keep.sum(dim=-1) == 5).all()


def test_samples_share_one_row():
    numbers = torch.rand(6, 1, 5)
    assert torch.equal(among_largest(numbers, torch.tensor([2])), plain(numbers, [2]))


def test_both_ways_agree(monkeypatch):
    numbers, counts = torch.rand(20, 4, 30, dtype=torch.float64), torch.full((4,), 7)
    fast = among_largest(numbers, counts)
    monkeypatch.setattr(largest, "is_traced", lambda tensor: True)
    assert torch.equal(among_largest(numbers, counts), fast)
