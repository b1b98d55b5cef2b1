import torch

from benchmarks.deepfaith.made_up_rows import made_up_rows
from pear_lightning.masking import ColumnMasker


def test_every_feature_has_the_values_of_one_row():
    rows = torch.arange(5)[:, None].float().expand(5, 4)
    made = made_up_rows(rows, ColumnMasker(4, groups=[[0, 3]]), 300)
    assert made.shape == (300, 4)
    assert torch.equal(made[:, 0], made[:, 3])  # the columns of a feature stay together
    assert all(len(row.unique()) <= 2 for row in made)
    assert (made[:, 0] != made[:, 1]).any()
    assert torch.equal(made, made_up_rows(rows, ColumnMasker(4, groups=[[0, 3]]), 300))
