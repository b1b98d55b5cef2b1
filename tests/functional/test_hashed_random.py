import struct

import pytest
import torch

from pear_lightning.functional.hashed_random import (
    derived_seeds,
    hashed_keys,
    hashed_normal,
    hashed_uniform,
    ranks,
    sample_seeds,
)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.long])
def test_a_sample_has_its_seed_in_any_batch(dtype):
    inputs = (torch.randn(6, 3, 4) * 100).to(dtype)
    seeds = sample_seeds(inputs)
    assert seeds.dtype == torch.long
    assert len(set(seeds.tolist())) == 6
    assert torch.equal(seeds, torch.cat([sample_seeds(row[None]) for row in inputs]))
    assert torch.equal(seeds.flip(0), sample_seeds(inputs.flip(0)))


def test_seeds_see_values_and_positions():
    inputs = torch.tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0], [1.0, 2.0, 3.0001], [-1.0, 2.0, 3.0]])
    assert len(set(sample_seeds(inputs).tolist())) == 4
    assert len({int(sample_seeds(inputs[:1], seed)) for seed in (0, 1, -1, 2**40)}) == 4


def test_half_precision_and_negative_zero_change_nothing():
    inputs = torch.randn(3, 5).bfloat16()
    assert torch.equal(sample_seeds(inputs), sample_seeds(inputs.float()))
    zeros = torch.zeros(1, 4)
    assert torch.equal(sample_seeds(zeros), sample_seeds(-zeros))


def test_seeds_may_be_any_integer():
    inputs = torch.randn(2, 3)
    for seed in (2**63, -(2**63), 2**64 + 1, -(2**100)):
        assert sample_seeds(inputs, seed).shape == (2,)
    assert torch.equal(sample_seeds(inputs, 2**64 + 1), sample_seeds(inputs, 1))


@pytest.mark.parametrize("pad", [(0, 3), (3, 0), (2, 2)], ids=["right", "left", "both"])
def test_padding_does_not_count(pad):
    inputs = torch.randn(4, 5)
    padded = torch.nn.functional.pad(inputs, pad, value=7.0)
    where = torch.nn.functional.pad(torch.ones(4, 5), pad).bool()
    expected = sample_seeds(inputs)
    assert torch.equal(sample_seeds(padded, where=where), expected)
    assert torch.equal(sample_seeds(padded, where=where[:1]), expected)
    assert not torch.equal(sample_seeds(padded), expected)
    assert torch.equal(sample_seeds(inputs, where=torch.ones(1, 5).bool()), expected)


def test_numbers_equal_plain_integer_arithmetic():
    """SplitMix64's finaliser in integers of any size: the same on every machine."""
    rows, n_draws, size = [[1.0, 2.0], [0.5, -4.0]], 2, 3
    seeds = sample_seeds(torch.tensor(rows), 3)
    keys = hashed_keys(seeds, torch.arange(n_draws), size)
    uniform = hashed_uniform(seeds, torch.arange(n_draws), size)
    for b, row in enumerate(rows):
        bits = [struct.unpack("<i", struct.pack("<f", value))[0] for value in row]
        seed = mix(sum(mix(v + mix(i * STEP)) for i, v in enumerate(bits, 1)) + 3 * STEP)
        assert int(seeds[b]) % 2**64 == seed
        for k, e in ((k, e) for k in range(n_draws) for e in range(size)):
            key = mix(mix(seed + mix((k + 1) * STEP)) + (e + 1) * STEP)
            assert int(keys[k, b, e]) % 2**64 == key
            assert float(uniform[k, b, e]) == ((key >> 41) + 0.5) / 2**23


STEP = 0x9E3779B97F4A7C15


def mix(z):
    z %= 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_first_numbers_do_not_depend_on_how_many():
    seeds, draws = sample_seeds(torch.randn(3, 2)), torch.arange(4)
    few, many = hashed_keys(seeds, draws, 5), hashed_keys(seeds, draws, 50)
    assert torch.equal(few, many[..., :5])
    assert torch.equal(few[2:], hashed_keys(seeds, draws[2:], 5))


def test_purposes_do_not_share_numbers():
    seeds = sample_seeds(torch.randn(50, 2))
    families = [
        derived_seeds(seeds, "noise"),
        derived_seeds(seeds, "noise", 1),
        derived_seeds(seeds, "subsets"),
        seeds,
    ]
    assert len(set(torch.cat(families).tolist())) == 200
    assert torch.equal(families[0], derived_seeds(seeds, "noise"))


def test_uniform_numbers_are_uniform_and_inside():
    numbers = hashed_uniform(sample_seeds(torch.randn(10, 2)), torch.arange(100), 200)
    assert numbers.dtype == torch.float32
    assert numbers.min() > 0
    assert numbers.max() < 1
    shares = (numbers * 20).long().flatten().bincount() / numbers.numel()
    torch.testing.assert_close(shares, torch.full((20,), 0.05), atol=0.002, rtol=0)


def test_normal_numbers_are_normal():
    numbers = hashed_normal(sample_seeds(torch.randn(10, 2)), torch.arange(100), 200)
    assert numbers.isfinite().all()
    assert abs(numbers.mean()) < 0.01
    assert abs(numbers.std() - 1) < 0.01
    assert abs(numbers.pow(4).mean() - 3) < 0.1


def test_neighbours_are_uncorrelated():
    # consecutive seeds, draws and elements
    numbers = hashed_normal(torch.arange(60), torch.arange(60), 60)
    for dim in range(3):
        one, other = numbers.narrow(dim, 0, 59), numbers.narrow(dim, 1, 59)
        assert abs((one * other).mean()) < 0.01
        averages = numbers.mean(dim)
        assert 0.8 < averages.std() * 60**0.5 < 1.2
    assert len(hashed_keys(torch.arange(60), torch.arange(60), 60).unique()) == 60**3


def test_bits_of_keys_are_fair():
    keys = hashed_keys(torch.arange(20), torch.arange(20), 50).flatten()
    shares = torch.stack([((keys >> bit) & 1).float().mean() for bit in range(64)])
    assert (shares - 0.5).abs().max() < 0.02


def test_ranks_number_the_true_entries():
    where = torch.rand(5, 9) < 0.5
    result = ranks(where)
    for row, of_row in zip(where, result, strict=True):
        assert of_row[row].tolist() == list(range(int(row.sum())))


@pytest.mark.gpu
def test_gpu_gives_the_same_numbers():
    inputs = torch.randn(5, 30)
    seeds = sample_seeds(inputs)
    on_gpu = sample_seeds(inputs.cuda())
    assert torch.equal(on_gpu.cpu(), seeds)
    draws = torch.arange(7)
    expected = hashed_uniform(seeds, draws, 20)
    assert torch.equal(hashed_uniform(on_gpu, draws.cuda(), 20).cpu(), expected)
    torch.testing.assert_close(
        hashed_normal(on_gpu, draws.cuda(), 20).cpu(), hashed_normal(seeds, draws, 20)
    )
