import pytest
import torch

from pear_lightning.figures.attribution_scale import scaled

A = torch.tensor([[1.0, -2.0], [0.5, 0.0]])
B = torch.tensor([[4.0, 0.0], [0.0, 8.0]])


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("panel", [[[0.5, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]),
        ("sample", [[[0.25, -0.5], [0.0625, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]),
        ("explainer", [[[0.5, -1.0], [0.25, 0.0]], [[0.5, 0.0], [0.0, 1.0]]]),
    ],
)
def test_what_shares_a_scale_is_divided_by_one_number(scale, expected):
    assert scaled([A, B], scale).tolist() == expected


def test_values_above_the_quantile_saturate():
    values = torch.arange(1.0, 102.0)[None]
    values[0, -1] = 1e6
    (shown,) = scaled([values], "panel", quantile=0.99)
    assert shown[0, -2:].tolist() == [1.0, 1.0]
    torch.testing.assert_close(shown[0, :99], values[0, :99] / 100)


def test_zeros_stay_zero_and_one_pixel_among_zeros_is_shown():
    one = torch.zeros(2, 1000)
    one[1, 3] = -1e-9
    (shown,) = scaled([one], "panel", quantile=0.99)
    assert shown[0].abs().max() == 0
    assert shown[1, 3] == -1


def test_an_unknown_scale_is_named():
    with pytest.raises(ValueError, match=r"scale must be one of .*, got 'row'"):
        scaled([A], "row")
