import pytest
import torch

from pear_lightning.scoring import keep_blocks
from pear_lightning.scoring.keep_blocks import KeepBlocks
from pear_lightning.scoring.probes import Ground, RandomSubsets, RemovalCurve, SingleRemovals


def ground(n_features=12):
    present = torch.ones(3, n_features, dtype=torch.bool)
    ranks = torch.stack([torch.randperm(n_features) for _ in range(3)])
    return Ground(present, present.sum(dim=1), torch.arange(3), ranks)


@pytest.mark.parametrize("probe", [RandomSubsets(20), SingleRemovals(), RemovalCurve()])
@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
@pytest.mark.parametrize("pass_size", [1, 3, 5, 40])
def test_copies_do_not_depend_on_blocks_and_passes(monkeypatch, probe, size, pass_size):
    monkeypatch.setattr(keep_blocks, "_ELEMENTS_OF_BLOCK", size)
    samples = ground()
    points = torch.arange(probe.n_points(12))
    expected = probe.keep(samples, points)
    blocks = KeepBlocks(probe, samples)
    blocks.drawn = []
    actual = torch.cat([blocks(part) for part in points.split(pass_size)])
    assert torch.equal(actual, expected)
    assert torch.equal(torch.cat(blocks.drawn), expected)
    limit = max(pass_size, size // 36)
    assert max(map(len, blocks.drawn)) <= limit


def test_blocks_are_kept_only_on_request():
    blocks = KeepBlocks(SingleRemovals(), ground())
    blocks(torch.arange(4))
    assert blocks.drawn is None
