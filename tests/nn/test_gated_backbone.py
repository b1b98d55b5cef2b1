import copy
import pickle

import pytest
import torch
from torch import nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.nn import MLP, GatedBackbone, ScoresActivation


def gate_of(features, **kwargs):
    gate = ScoresActivation(features, **kwargs)
    nn.init.normal_(gate.s)
    return gate


def test_gate_in_front():
    gate, backbone = gate_of(6), MLP(6)
    x = torch.randn(4, 6)
    torch.testing.assert_close(GatedBackbone(gate, backbone)(x), backbone(x * gate.scores))


@pytest.mark.parametrize("place", ["layers.2", ""])
def test_gate_at_a_named_place(place):
    backbone = MLP(6, hidden_features=(8, 8))
    gate = gate_of(8 if place else 6)
    x = torch.randn(4, 6)
    hidden = x if place == "" else backbone.layers[:2](x)
    hidden = hidden * gate.scores
    wanted = backbone(hidden) if place == "" else backbone.layers[2:](hidden)
    torch.testing.assert_close(GatedBackbone(gate, backbone, place)(x), wanted)


def test_names_of_the_backbones_weights_stay():
    backbone = MLP(6)
    names = [f"backbone.{name}" for name in backbone.state_dict()]
    for place in (None, "layers.2"):
        model = GatedBackbone(gate_of(6), MLP(6), place)
        assert [*model.state_dict()] == ["gate.s", *names]


def test_a_copy_has_a_gate_of_its_own():
    model = GatedBackbone(gate_of(6), MLP(6), "layers.0")
    x = torch.randn(4, 6)
    before = model(x)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(twin(x), before)
        nn.init.normal_(twin.gate.s)
        assert not torch.allclose(twin(x), before)
        torch.testing.assert_close(model(x), before)


@pytest.mark.parametrize("places", [("layers.2", "layers.2"), ("layers.0", "layers.2")])
def test_a_later_gate_inside_replaces_the_earlier_one(places):
    backbone, x = MLP(6, hidden_features=(6, 6)), torch.randn(4, 6)
    fresh = copy.deepcopy(backbone)
    first, second = (GatedBackbone(gate_of(6), backbone, place) for place in places)
    wanted = GatedBackbone(second.gate, fresh, places[1])(x)
    torch.testing.assert_close(second(x), wanted)
    torch.testing.assert_close(copy.deepcopy(second)(x), wanted)
    with pytest.raises(ValueError, match="backbone must not be given to a later GatedBackbone"):
        first(x)
    again = GatedBackbone(gate_of(6), copy.deepcopy(backbone), places[0])
    torch.testing.assert_close(second(x), wanted)
    wanted = GatedBackbone(again.gate, copy.deepcopy(fresh), places[0])(x)
    torch.testing.assert_close(again(x), wanted)


def test_a_gate_in_front_removes_one_inside_and_not_one_in_front():
    backbone, x = MLP(6), torch.randn(4, 6)
    plain = copy.deepcopy(backbone)
    GatedBackbone(gate_of(6), backbone, "layers.0")
    models = [GatedBackbone(gate_of(6), backbone) for _ in range(2)]
    for model in models:
        torch.testing.assert_close(model(x), plain(x * model.gate.scores))
    GatedBackbone(gate_of(6), backbone, "layers.0")
    with pytest.raises(ValueError, match="backbone must not be given to a later GatedBackbone"):
        models[0](x)


def test_gates_can_be_nested():
    backbone, x = MLP(6), torch.randn(4, 6)
    inner = GatedBackbone(gate_of(6), copy.deepcopy(backbone), "layers.0")
    outer = GatedBackbone(gate_of(100), inner, "backbone.layers.2")
    hidden = backbone.layers[:2](x * inner.gate.scores) * outer.gate.scores
    torch.testing.assert_close(outer(x), backbone.layers[2:](hidden))


def test_explanations_are_of_the_gated_function_and_reach_the_scores():
    for place in (None, "layers.0"):
        model = GatedBackbone(gate_of(6), MLP(6, activation="softplus"), place)
        x = torch.randn(4, 6)
        _, (attributions,) = explain(model, x, 1, [Gradient()], create_graph=True)
        x.requires_grad_()
        (wanted,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
        torch.testing.assert_close(attributions, wanted)
        attributions.square().sum().backward()
        assert model.gate.s.grad.any()


class OfKeywords(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, inputs, scale=1.0):
        return self.layer(input=inputs) * scale


def test_arguments_of_the_backbone_are_handed_on():
    model, x = GatedBackbone(gate_of(6), OfKeywords()), torch.randn(4, 6)
    torch.testing.assert_close(model(x, scale=3.0), 3 * model(x))


def test_places_that_cannot_be_gated_are_named():
    with pytest.raises(ValueError, match=r"place must be one of .*'layer'.* got 'head'"):
        GatedBackbone(gate_of(6), OfKeywords(), "head")
    with pytest.raises(ValueError, match="'layer' must be called with a positional argument"):
        GatedBackbone(gate_of(6), OfKeywords(), "layer")(torch.randn(4, 6))


def test_tokens_of_a_transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=True)
    model = GatedBackbone(gate_of(5, axis=1), layer).train()
    model(torch.randn(3, 5, 8)).square().sum().backward()
    assert model.gate.s.grad.any()


def test_token_ids_are_not_gated():
    backbone = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2))
    model = GatedBackbone(gate_of(5), backbone, "0")
    with pytest.raises(TypeError, match=r"inputs must be floating-point, got torch\.int64"):
        model(torch.randint(9, (3, 5)))
