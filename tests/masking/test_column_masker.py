import pytest
import torch

from pear_lightning.masking import ColumnMasker


def test_every_column_is_a_feature():
    masker, inputs = ColumnMasker(4, baseline=9), torch.randn(3, 4)
    assert masker.n_features == 4
    assert torch.equal(masker.pool(inputs), inputs)
    keep = torch.rand(3, 5, 4) < 0.5
    assert torch.equal(masker.apply(inputs, keep), inputs[:, None].where(keep, torch.tensor(9.0)))


def test_groups_are_numbered_by_their_first_column():
    masker = ColumnMasker(6, groups=[[5, 3], [1, 2]])
    assert masker.n_features == 4
    row = torch.tensor([[1.0, 10, 100, 1000, 10000, 100000]])
    assert masker.pool(row).tolist() == [[1, 110, 101000, 10000]]
    keep = torch.tensor([[[True, False, True, True], [True, True, False, True]]])
    expected = [[[1, 0, 0, 1000, 10000, 100000], [1, 10, 100, 0, 10000, 0]]]
    assert masker.apply(row, keep).tolist() == expected


def test_mean_pooling_is_the_mean_of_a_group():
    masker = ColumnMasker(3, groups=[[0, 2]], pooling="mean")
    assert masker.pool(torch.tensor([[1.0, 5.0, 2.0]])).tolist() == [[1.5, 5.0]]


def test_training_mean():
    masker = ColumnMasker(2, baseline="mean")
    keep = torch.zeros(1, 1, 2, dtype=torch.bool)
    with pytest.raises(RuntimeError, match=r"masker\.fit"):
        masker.apply(torch.ones(1, 2), keep)
    masker.fit(torch.tensor([3.0, 4.0]))
    assert masker.apply(torch.ones(1, 2), keep).tolist() == [[[3, 4]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_columns": 0}, "n_columns must be at least 1"),
        ({"groups": [[]]}, r"groups\[0\] must have at least one column"),
        ({"groups": [[0, 3]]}, r"groups\[0\] must name columns in 0..2, got 3"),
        ({"groups": [[-1]]}, "must name columns in 0..2, got -1"),
        ({"groups": [[0, 1], [1, 2]]}, r"got column 1 in groups\[0\] and groups\[1\]"),
        ({"groups": [[1, 1]]}, "got column 1 in"),
        ({"pooling": "max"}, "pooling must be one of .*, got 'max'"),
        ({"baseline": "median"}, "baseline must be .* got 'median'"),
        ({"baseline": float("nan")}, "finite"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ColumnMasker(**{"n_columns": 3} | arguments)


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 1)])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"rows of 3 columns, \(B, 3\)"):
        ColumnMasker(3).bind(torch.randn(shape))


def test_repr_names_the_settings():
    assert repr(ColumnMasker(3, [[0, 1]], baseline="uniform")) == (
        "ColumnMasker(n_columns=3, groups=[[0, 1]], baseline=UniformNoise(low=0.0, high=1.0), "
        "pooling='sum')"
    )
