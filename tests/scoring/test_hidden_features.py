"""Outputs of a layer of the explained model, for each feature."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.masking import ColumnMasker, PatchMasker, SegmentMasker, TokenMasker
from pear_lightning.scoring import Batch, Scorer, resolve_output
from pear_lightning.scoring.hidden_features import hidden_features
from pear_lightning.scoring.side_inputs import side_inputs


def found(model, masker, inputs, layer="body", **data):
    batch = Batch(inputs, torch.zeros(len(inputs), dtype=torch.long), forward_kwargs=data)
    scorer = Scorer(model.eval(), batch, resolve_output("logit"))
    return hidden_features(layer, scorer, masker.bind(inputs, batch.sample_data))


class Headed(nn.Module):
    """A body whose output is explained, and any head."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, inputs, **data):
        return self.body(inputs).flatten(1)[:, :2].float()


def headed(body):
    return Headed(body if isinstance(body, nn.Module) else Function(body))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, inputs):
        return self.function(inputs)


def test_a_vector_of_a_sample_is_given_to_each_feature():
    body, rows = nn.Linear(5, 7), torch.randn(3, 5)
    values = found(headed(body), ColumnMasker(5, groups=[[0, 4]]), rows)
    torch.testing.assert_close(values, body(rows).detach()[:, None].expand(3, 4, 7))


def test_tokens_of_columns_are_averaged_over_a_group_and_the_class_token_is_left_out():
    rows = torch.randn(3, 4)
    tokens = torch.randn(3, 1 + 4, 6)
    values = found(headed(lambda x: tokens), ColumnMasker(4, groups=[[1, 3]]), rows)
    own = tokens[:, 1:]
    expected = torch.stack([own[:, 0], (own[:, 1] + own[:, 3]) / 2, own[:, 2]], dim=1)
    torch.testing.assert_close(values, expected)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_map_is_averaged_over_patches(channels_last):
    images = torch.randn(2, 3, 16, 32)
    body = nn.Conv2d(3, 5, 2, 2)
    maps = body(images).detach()

    def layer(x):
        return body(x).permute(0, 2, 3, 1) if channels_last else body(x)

    values = found(headed(layer), PatchMasker(4), images)
    torch.testing.assert_close(values, F.adaptive_avg_pool2d(maps, (4, 8)).flatten(2).mT)


def test_a_map_is_averaged_over_segments():
    images = torch.randn(2, 1, 9, 9)
    segments = torch.randint(4, (9, 9))
    segments[0, :4] = torch.arange(4)
    body = nn.Conv2d(1, 5, 3, 3)
    values = found(headed(body), SegmentMasker(segments), images)
    upsampled = F.interpolate(body(images).detach(), (9, 9), mode="nearest")
    for feature in range(4):
        expected = upsampled[:, :, segments == feature].mean(dim=2)
        torch.testing.assert_close(values[:, feature], expected)


@pytest.mark.parametrize("size", [(16, 16), (8, 24)])
def test_tokens_of_patches_without_class_token_and_registers(size):
    images = torch.randn(2, 3, *size)
    grid = size[0] // 4 * (size[1] // 4)
    tokens = torch.randn(2, 3 + grid, 6)
    values = found(headed(lambda x: tokens), PatchMasker(4), images)
    torch.testing.assert_close(values, tokens[:, 3:])


def test_tokens_of_texts_and_zeros_for_padding():
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    embed = nn.Embedding(12, 3)
    model = headed(embed)
    mask = (ids != 0).long()
    masker = TokenMasker(1, pad_token_id=0)
    values = found(model, masker, ids, attention_mask=mask)
    torch.testing.assert_close(values, embed(ids).detach() * mask[..., None])
    inputs = torch.randn(2, 4, 3)
    body = nn.Linear(3, 6)
    values = found(headed(body), TokenMasker(), inputs)
    torch.testing.assert_close(values, body(inputs).detach())


def test_channels_before_the_tokens_of_a_convolution():
    inputs = torch.randn(2, 9, 3)
    body = nn.Conv1d(3, 6, 3, padding=1)
    values = found(headed(lambda x: body(x.mT)), TokenMasker(), inputs)
    torch.testing.assert_close(values, body(inputs.mT).detach().mT)


class Convolution(nn.Conv1d):
    """A convolution along the columns of rows, or the tokens of embeddings."""

    def forward(self, inputs):
        return super().forward(inputs[:, None] if inputs.ndim == 2 else inputs.mT)


@pytest.mark.parametrize("channels", [4, 5, 16])
@pytest.mark.parametrize("wrap", [lambda body: body, nn.Sequential, Function])
def test_channels_of_a_convolution_may_be_as_many_as_the_columns_or_more(channels, wrap):
    rows, body = torch.randn(3, 5), Convolution(1, channels, 1)
    values = found(headed(wrap(body)), ColumnMasker(5), rows)
    torch.testing.assert_close(values, body(rows).detach().mT)
    images = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())  # as many channels as rows and columns
    pixels = torch.randn(2, 1, 4, 4)
    values = found(headed(images), PatchMasker(1), pixels)
    torch.testing.assert_close(values, images(pixels).detach().flatten(2).mT)


@pytest.mark.parametrize("extra", [0, 1])
def test_tokens_of_a_layer_may_have_as_many_components_as_there_are_columns(extra):
    rows = torch.randn(3, 5)
    body = nn.Sequential(Function(lambda x: torch.ones(3, 5 + extra, 1) * x[:, None, :2]))
    body.append(nn.Linear(2, 5))
    values = found(headed(body), ColumnMasker(5), rows)
    torch.testing.assert_close(values, body(rows).detach()[:, extra:])
    pixels = torch.randn(2, 4, 4, 4)
    layer = nn.LayerNorm(4)  # channels last
    values = found(headed(layer), PatchMasker(1), pixels)
    torch.testing.assert_close(values, layer(pixels).detach().flatten(1, 2))


def test_tokens_that_cannot_be_told_from_channels_are_an_error():
    rows = torch.randn(3, 5)
    unknown = headed(lambda x: torch.randn(3, 5, 5))
    both = headed(nn.Sequential(nn.Linear(5, 25), Function(lambda x: x.view(3, 5, 5))))
    both.body.append(nn.Conv1d(5, 5, 1))
    for model in (unknown, both):
        with pytest.raises(ValueError, match="layer 'body' must have a type that tells"):
            found(model, ColumnMasker(5), rows)
    halved = headed(Convolution(1, 16, 1, stride=2))  # three places for five columns
    with pytest.raises(ValueError, match="layer 'body' must return vectors"):
        found(halved, ColumnMasker(5), rows)


def test_what_does_not_fit_is_an_error():
    rows = torch.randn(3, 5)
    with pytest.raises(ValueError, match="layer 'body' must return vectors"):
        found(headed(lambda x: torch.randn(3, 2, 4)), ColumnMasker(5), rows)
    with pytest.raises(ValueError, match="layer must name a layer of the model, 'body'"):
        found(headed(nn.Linear(5, 2)), ColumnMasker(5), rows, layer="bodies")


def test_values_are_scaled_per_sample_and_stand_beside_the_others():
    body, rows = nn.Linear(5, 7), torch.randn(3, 5)
    model = nn.Sequential(body, nn.ReLU(), nn.Linear(7, 2)).double()
    rows = rows.double()
    batch = Batch(rows, torch.zeros(3, dtype=torch.long))
    scorer = Scorer(model, batch, resolve_output("logit"))
    names = ["gradient", "hidden:0", "removals"]
    values = side_inputs(names, scorer, ColumnMasker(5).bind(rows))
    assert values.shape == (3, 5, 1 + 7 + 1)
    assert values.dtype == torch.float64
    hidden = body(rows).detach()
    hidden = hidden / hidden.abs().amax(dim=1, keepdim=True)
    torch.testing.assert_close(values[..., 1:8], hidden[:, None].expand(3, 5, 7))
    for column in (0, 8):
        largest = values[..., column].abs().amax(dim=1)
        torch.testing.assert_close(largest, torch.ones_like(largest))
