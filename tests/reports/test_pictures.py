import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient
from pear_lightning.reports import PictureStyle, draw_pictures, explain_samples
from pear_lightning.reports.picture_kind import picture_kind
from pear_lightning.scoring import Batch


def explained(model, inputs, labels=None, **kwargs):
    return explain_samples(
        model, Batch(inputs, labels), range(len(inputs)), {"gradient": Gradient()}, **kwargs
    )


def test_rows_of_pixels_are_drawn_in_the_shape_of_their_images():
    rows = torch.rand(2, 12)
    samples = explained(nn.Linear(12, 3), rows)
    (picture,) = draw_pictures([samples], PictureStyle(image_shape=(1, 3, 4)))
    shown = picture.figure.axes[0].images
    assert len(shown) == 4
    drawn = torch.tensor(shown[0].get_array().copy())
    torch.testing.assert_close(drawn, rows[0].view(3, 4, 1).expand(3, 4, 3))


def test_groups_of_images_of_different_sizes_are_drawn_separately():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    groups = [explained(network, torch.rand(1, 3, size, size)) for size in (6, 9)]
    pictures = draw_pictures(groups, PictureStyle())
    sizes = [picture.figure.axes[0].images[0].get_array().shape[0] for picture in pictures]
    assert sizes == [6, 9]


def test_labels_tell_prediction_label_and_another_explained_class():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.eye(2) * 2
    inputs, labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])
    style = PictureStyle(class_names=["cat", "dog"])
    assert style.labels_of(explained(model, inputs, labels, target="label")) == [
        "sample 0\npredicted cat (88 %)\nlabel cat",
        "sample 1\npredicted cat (88 %)\nlabel dog\nexplained dog",
    ]
    assert style.labels_of(explained(model, inputs))[1] == "sample 1\npredicted cat (88 %)"


@pytest.mark.parametrize("labels", [torch.tensor([0.25, 1.0]), None])
def test_values_of_a_regression_are_shown_as_numbers(labels):
    model = nn.Linear(2, 1, bias=False)
    model.weight.data = torch.tensor([[0.5, 0.25]])
    samples = explained(model, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), labels, target="label")
    shown = PictureStyle(class_names=["cat", "dog"]).labels_of(samples)
    assert shown[0] == "sample 0\npredicted 0.5" + ("" if labels is None else "\nlabel 0.25")


def test_missing_names_come_from_the_data():
    class Data:
        class_names = ("a", "b")
        feature_names = ("x", "y")
        tokenizer = "words"

    class Words(Data):
        tokenizer = ("[PAD]", "film")

    style = PictureStyle(feature_names=["mine", "too"]).with_names_of(Words())
    assert style.class_names == ["a", "b"]
    assert style.feature_names == ["mine", "too"]
    assert style.tokenizer == ("[PAD]", "film")


def test_inputs_of_no_known_kind_need_one():
    with pytest.raises(ValueError, match=r"kind must be given for inputs \(2, 3, 4\)"):
        picture_kind(Batch(torch.rand(2, 3, 4)), None)
