import pytest
import torch
from matplotlib.colors import to_rgb

from pear_lightning.figures import draw_image_attributions
from pear_lightning.figures.displayed_images import displayed
from pear_lightning.figures.style import BLUE, RED


def images_of(figure):
    """The pictures on the first axes, as arrays, from left to right and from top to bottom."""
    return [torch.tensor(image.get_array().copy()) for image in figure.axes[0].images]


@pytest.fixture
def maps():
    signed = torch.zeros(2, 4, 6)
    signed[:, 0, 0], signed[:, 3, 5] = 1.0, -1.0
    return {"gradient": signed, "lime": -signed}


@pytest.mark.parametrize("channels", [1, 3])
def test_red_is_above_zero_blue_below_and_the_rest_is_grey(maps, channels):
    figure = draw_image_attributions(torch.full((2, channels, 4, 6), 1.0), maps, ["a", "b"])
    drawn = images_of(figure)
    assert len(drawn) == 6  # two rows of input, gradient, lime
    first, of_gradient, of_lime = drawn[0], drawn[2], drawn[4]
    assert (first == 1).all()
    for picture, ends in ((of_gradient, (RED, BLUE)), (of_lime, (BLUE, RED))):
        for place, colour in zip(((0, 0), (3, 5)), ends, strict=True):
            torch.testing.assert_close(
                picture[place], torch.tensor(to_rgb(colour)), atol=1e-6, rtol=0
            )
        rest = picture[1:3]
        assert (rest == rest[..., :1]).all()  # no colour


def test_titles_and_labels_are_written(maps):
    figure = draw_image_attributions(torch.rand(2, 3, 4, 6), maps, ["sample 1\nlabel cat", "b"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["input", "gradient", "lime", "sample 1", "label cat", "b"]


def test_contours_enclose_a_region_of_one_sign():
    signed = torch.zeros(1, 32, 32)
    signed[0, 4:16, 4:16] = 1.0
    image = torch.rand(1, 1, 32, 32)
    figure = draw_image_attributions(image, {"gradient": signed}, ["a"], blend="contour")
    (lines,) = figure.axes[0].collections  # there is nothing below zero
    torch.testing.assert_close(
        torch.tensor(lines.get_edgecolor()[0][:3]), torch.tensor(to_rgb(RED)).double()
    )
    inner = lines.get_paths()[-1].vertices - [1.06, 0.0]  # the panel of the gradient
    assert inner.min() > 2 / 32
    assert inner.max() < 18 / 32


def test_normalised_images_are_shown_as_they_were():
    image = torch.rand(2, 3, 4, 5)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]
    shape = (1, 3, 1, 1)
    normalised = (image - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    torch.testing.assert_close(displayed(normalised, mean, std), image.movedim(1, 3))


def test_other_ranges_are_scaled_to_what_can_be_shown():
    shown = displayed(torch.tensor([-3.0, 1.0, 5.0]).view(1, 1, 1, 3))
    assert shown.flatten().tolist() == [0.0, 0.5, 1.0]


def test_two_channels_are_averaged():
    image = torch.tensor([0.2, 0.6]).view(1, 2, 1, 1)
    assert displayed(image).flatten().tolist() == pytest.approx([0.4])


def test_what_does_not_fit_is_named(maps):
    image = torch.rand(2, 3, 4, 6)
    with pytest.raises(ValueError, match=r"attributions\['lime'\] must be \(B, H, W\) = \(2, 4, 6"):
        draw_image_attributions(image, maps | {"lime": torch.rand(2, 3, 4, 6)}, ["a", "b"])
    with pytest.raises(ValueError, match="blend must be one of"):
        draw_image_attributions(image, maps, ["a", "b"], blend="heat")
    with pytest.raises(ValueError, match=r"mean must have one number for each of the 3 channels"):
        draw_image_attributions(image, maps, ["a", "b"], mean=[0.1, 0.2])
