import pytest
import torch

from pear_lightning.masking import SegmentMasker

SHARED = torch.tensor([[0, 0, 30], [-1, 5, 30]])


def test_labels_are_numbered_in_ascending_order():
    masker = SegmentMasker(SHARED)
    assert masker.n_features == 3
    image = torch.tensor([[[[1.0, 10, 100], [1000, 10000, 100000]]]])
    assert masker.pool(image).tolist() == [[11, 10000, 100100]]
    keep = torch.tensor([[[False, True, True]]])
    assert masker.apply(image, keep)[0, 0, 0].tolist() == [[0, 0, 100], [1000, 10000, 100000]]


def test_shared_maps_equal_the_same_map_for_each():
    images = torch.randn(4, 2, 2, 3)
    given = SegmentMasker().pool(images, segments=SHARED.expand(4, -1, -1))
    torch.testing.assert_close(SegmentMasker(SHARED).pool(images), given)


def test_images_may_differ_in_their_segments():
    labels = torch.tensor([[[3, 3, 3]], [[0, 2, 9]], [[-1, 7, -1]]])
    bound = SegmentMasker().bind(torch.ones(3, 1, 1, 3), {"segments": labels})
    assert bound.n_features == 3
    assert bound.present.sum(1).tolist() == [1, 3, 1]
    assert bound.pool(torch.ones(3, 1, 1, 3)).tolist() == [[3, 0, 0], [1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_any_integer_type(dtype):
    masker = SegmentMasker(SHARED.clamp(min=0).to(dtype))
    assert masker.pool(torch.ones(1, 1, 2, 3)).tolist() == [[3, 1, 2]]


def test_segments_by_a_function_of_the_images():
    calls = []

    def halves(images):
        calls.append(images)
        return (images.mean(1) > 0).long()

    images = torch.randn(3, 2, 4, 5)
    masker = SegmentMasker(halves, baseline="own_mean")
    bound = masker.bind(images)
    assert bound.n_features == 2
    expected = (images * (images.mean(1, keepdim=True) > 0)).sum((1, 2, 3))
    torch.testing.assert_close(bound.pool(images)[:, 1], expected)
    with pytest.raises(ValueError, match=r"masker.bind\(images\).pool"):
        masker.pool(images)
    assert len(calls) == 1
    assert torch.equal(masker.pool(images, segments=halves(images)), bound.pool(images))


def test_removed_segments_take_the_images_mean_colour():
    images = torch.randn(2, 3, 2, 3)
    masker = SegmentMasker(SHARED.clamp(min=0), baseline="own_mean")
    nothing = masker.apply(images, torch.zeros(2, 1, masker.n_features, dtype=torch.bool))[:, 0]
    torch.testing.assert_close(nothing, images.mean((2, 3), keepdim=True).expand_as(images))


def test_attributions_may_lack_channels():
    attributions = torch.randn(2, 2, 3)
    masker = SegmentMasker(SHARED)
    assert torch.equal(masker.pool(attributions), masker.pool(attributions[:, None]))
    labels = SHARED.expand(2, -1, -1)
    assert torch.equal(
        SegmentMasker().pool(attributions, segments=labels), masker.pool(attributions)
    )


@pytest.mark.parametrize(
    ("segments", "error", "message"),
    [
        (torch.zeros(1, 2, 3).long(), ValueError, r"map \(H, W\), got \(1, 2, 3\)"),
        (torch.zeros(2, 3), TypeError, "segments must be integers, got torch.float32"),
        (torch.full((2, 3), -2), ValueError, "labelled from 0 on, or -1 .* got -2"),
        ([[0, 1]], TypeError, "a function of the images or None, got list"),
    ],
)
def test_bad_segments(segments, error, message):
    with pytest.raises(error, match=message):
        SegmentMasker(segments)


def test_segments_that_do_not_fit_the_images():
    images = torch.randn(2, 3, 4, 5)
    with pytest.raises(ValueError, match="segments must be given to SegmentMasker"):
        SegmentMasker().bind(images)
    with pytest.raises(ValueError, match=r"\(2, 3\), got \(4, 5\)"):
        SegmentMasker(SHARED).bind(images)
    for wrong in (SHARED, torch.zeros(1, 4, 5).long()):
        with pytest.raises(ValueError, match=r"a map for each image, \(2, 4, 5\)"):
            SegmentMasker().bind(images, {"segments": wrong})
    with pytest.raises(ValueError, match="images"):
        SegmentMasker(SHARED).bind(images[0, 0])


def test_an_image_without_segments():
    labels = torch.tensor([[[0, 1]], [[-1, -1]]])
    with pytest.raises(ValueError, match=r"got 1 of 2 .* SegmentMasker; the first is sample 1"):
        SegmentMasker().bind(torch.randn(2, 1, 1, 2), {"segments": labels})
    with pytest.raises(ValueError, match="got 2 of 2 samples without one from SegmentMasker"):
        SegmentMasker(torch.full((1, 2), -1)).bind(torch.randn(2, 1, 1, 2))


def test_number_of_segments_is_known_only_where_they_are_shared():
    with pytest.raises(ValueError, match="got separate maps"):
        _ = SegmentMasker().n_features


def test_repr_names_the_settings():
    assert "segments=3 on (2, 3)" in repr(SegmentMasker(SHARED))
    assert "segments=None" in repr(SegmentMasker())
