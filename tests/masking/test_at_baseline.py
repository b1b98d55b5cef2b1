"""Which features equal the baseline: those whose removal leaves the sample unchanged."""

import pytest
import torch

from pear_lightning.masking import ColumnMasker, PatchMasker, SegmentMasker, TokenMasker

IMAGE = torch.rand(3, 2, 4, 6)
IMAGE[0, :, :2, :2] = 0.5
IMAGE[1, 0, 2:, 4:] = 0.5  # one channel only
IMAGE[2] = 0.5
TABLE = torch.tensor([[0.5, 0.5, 2.0, 0.5], [0.5, 1.0, 0.5, 0.5]])
IDS = torch.tensor([[2, 7, 4, 3, 0], [2, 4, 4, 5, 3]])
CASES = {
    "columns": (ColumnMasker(4, baseline=0.5), TABLE, {}),
    "groups": (ColumnMasker(4, groups=[[0, 1]], baseline=0.5), TABLE, {}),
    "patches": (PatchMasker(2, baseline=0.5), IMAGE, {}),
    "own mean": (PatchMasker(2, baseline="own_mean"), IMAGE, {}),
    "segments": (
        SegmentMasker(torch.arange(24).view(4, 6) // 7, baseline=0.5),
        IMAGE,
        {},
    ),
    "tokens": (
        TokenMasker(4, special_token_ids=[2, 3]),
        IDS,
        {"attention_mask": (IDS != 0).long()},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_true_exactly_where_removal_changes_nothing(case):
    masker, inputs, data = CASES[case]
    bound = masker.bind(inputs, data)
    n = bound.n_features
    keep = ~torch.eye(n, dtype=torch.bool)[None].expand(len(inputs), -1, -1)
    copies = bound.apply(keep)
    unchanged = (copies == inputs[:, None]).flatten(2).all(dim=2)
    assert torch.equal(bound.at_baseline, unchanged)
    assert unchanged.any()
    assert not unchanged.all()


def test_no_feature_equals_a_random_baseline():
    bound = ColumnMasker(4, baseline="uniform").bind(TABLE)
    assert not bound.at_baseline.any()
