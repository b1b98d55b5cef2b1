import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pear_lightning.masking import PatchMasker


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
def test_every_pixel_is_in_the_patch_where_it_lies(height, width, rows, columns):
    masker = PatchMasker((rows, columns), image_size=(height, width))
    images = torch.randn(2, 3, height, width)
    expected = [
        images[:, :, top : top + rows, left : left + columns].sum((1, 2, 3))
        for top in range(0, height, rows)
        for left in range(0, width, columns)
    ]
    assert masker.n_features == len(expected)
    torch.testing.assert_close(masker.pool(images), torch.stack(expected, dim=1))
    assert PatchMasker((rows, columns)).bind(images).n_features == len(expected)


def test_a_patch_that_does_not_divide_the_image():
    masker = PatchMasker(2, baseline=5)
    images = torch.zeros(1, 2, 3, 5)
    keep = torch.ones(1, 1, 6, dtype=torch.bool)
    keep[..., 5] = False  # the corner, one pixel
    changed = masker.apply(images, keep)[0, 0]
    assert changed.nonzero().tolist() == [[0, 2, 4], [1, 2, 4]]


def test_attributions_may_lack_channels():
    images, masker = torch.randn(2, 3, 4, 6), PatchMasker(2)
    single = torch.randn(2, 1, 4, 6)
    bound = masker.bind(images)
    for method in (bound.pool, masker.pool):
        assert torch.equal(method(single), method(single[:, 0]))
    torch.testing.assert_close(bound.pool(images), bound.pool(images.sum(1)))


def test_patches_of_one_pixel():
    images = torch.randn(2, 3, 4, 6)
    saliency = PatchMasker(1).pool(images)
    torch.testing.assert_close(saliency, images.sum(1).flatten(1))
    gray = torch.randn(2, 1, 4, 6)
    assert torch.equal(PatchMasker(1).pool(gray), gray.flatten(1))


def test_number_of_patches_is_not_known_without_a_size():
    with pytest.raises(ValueError, match="image_size"):
        _ = PatchMasker(4).n_features


@pytest.mark.parametrize(
    "arguments", [(0,), ((2, -1),), (2, 0), (2, (4, 0))], ids=["0", "2,-1", "size 0", "4,0"]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="must be positive"):
        PatchMasker(*arguments)


@pytest.mark.parametrize(
    "arguments", [("a",), (2.0,), ((2, "a"),), ((2, 2, 2),), (2, True), (None,)]
)
def test_sizes_that_are_no_integers(arguments):
    name = "patch_size" if len(arguments) == 1 else "image_size"
    with pytest.raises(TypeError, match=f"{name} must be a number of pixels, or a height and a"):
        PatchMasker(*arguments)


@pytest.mark.parametrize("shape", [(2, 4, 6), (2, 3, 6, 4), (2, 3, 4)])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"images \(B, C, 4, 6\)"):
        PatchMasker(2, image_size=(4, 6)).bind(torch.randn(shape))
