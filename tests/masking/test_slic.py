import pytest
import torch

from pear_lightning.explainers import KernelShap, Occlusion, explain
from pear_lightning.masking import SegmentMasker, Slic

segmentation = pytest.importorskip("skimage.segmentation")


def blocks(batch_size, channels=3, size=4):
    """Images of squares of random colours; in noise SLIC finds next to nothing."""
    colours = torch.rand(batch_size, channels, size, size)
    return colours.repeat_interleave(4, 2).repeat_interleave(4, 3)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_labels_are_those_of_scikit_image(channels):
    images = blocks(3, channels)[..., 1:]
    labels = Slic(8, 5.0, sigma=0.5)(images)
    assert labels.shape == (3, 16, 15)
    assert labels.dtype == torch.long
    for image, of_image in zip(images, labels, strict=True):
        expected = segmentation.slic(
            image.permute(1, 2, 0).double().numpy(), 8, 5.0, sigma=0.5, start_label=0
        )
        assert torch.equal(of_image, torch.from_numpy(expected).long())


def test_each_image_is_segmented_by_itself():
    images, slic = blocks(4) - 0.5, Slic(9)
    together = slic(images)
    assert torch.equal(together, torch.cat([slic(image[None]) for image in images]))


def test_normalisation_changes_nothing_for_gray_images():
    images, slic = blocks(2, 1), Slic(9)
    assert torch.equal(slic(images), slic((images - 0.25) * 8))


def test_two_halves_of_an_image():
    images = torch.zeros(1, 3, 8, 12)
    images[..., 6:] = 1
    labels = Slic(2, compactness=0.1)(images)[0]
    assert labels[:, :6].unique().tolist() == [0]
    assert labels[:, 6:].unique().tolist() == [1]


def test_images_that_need_care():
    slic = Slic(4)
    assert slic(torch.zeros(1, 3, 8, 8)).shape == (1, 8, 8)  # of one colour
    assert slic(torch.zeros(0, 3, 8, 8)).shape == (0, 8, 8)
    assert slic(torch.rand(1, 3, 8, 8, dtype=torch.bfloat16)).shape == (1, 8, 8)
    with torch.inference_mode():
        slic(torch.rand(1, 3, 8, 8, requires_grad=True))
    with pytest.raises(ValueError, match="images must be"):
        slic(torch.rand(3, 8, 8))


def test_as_features():
    images = blocks(2)
    bound = SegmentMasker(Slic(9), baseline="own_mean").bind(images)
    assert 4 <= bound.n_features <= 16
    torch.testing.assert_close(bound.pool(images).sum(1), images.sum((1, 2, 3)))


@pytest.mark.parametrize(
    "arguments", [{"n_segments": 0}, {"compactness": 0.0}, {"sigma": -1.0}], ids=str
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Slic(**arguments)


def test_repr_names_the_settings():
    assert repr(Slic(9)) == "Slic(n_segments=9, compactness=10.0, sigma=0.0)"


@pytest.mark.parametrize("kind", [Occlusion, KernelShap])
def test_a_batch_without_images_has_no_explanations(kind):
    masker = SegmentMasker(Slic(9))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    inputs = torch.zeros(0, 3, 4, 4)
    _, (found,) = explain(model, inputs, torch.zeros(0).long(), [kind(masker=masker)])
    assert found.shape == inputs.shape
