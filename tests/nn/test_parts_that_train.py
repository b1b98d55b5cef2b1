"""Frozen bodies, low-rank adapters and gradient checkpointing, trained through explanations."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pear_lightning.explainers import Gradient, IntegratedGradients
from pear_lightning.modules import PEAR, RightForTheRightReasons
from pear_lightning.nn import RecurrentClassifier, SmallCNN, TransformerTextClassifier

PAIR = {"gradient": Gradient(), "integrated": IntegratedGradients(2, baseline="zeros")}
IDS = torch.tensor([[2, 7, 9, 3, 4], [2, 5, 3, 0, 0]])
TEXTS = {"input_ids": IDS, "attention_mask": IDS != 0, "labels": torch.tensor([0, 1]),
         "mask": (IDS == 7).float()}  # fmt: skip


def images():
    mask = torch.zeros(2, 1, 12, 12)
    mask[:, :, :4, :4] = 1
    return torch.rand(2, 3, 12, 12), torch.tensor([0, 1]), mask


BACKBONES = {
    "transformer": (lambda: TransformerTextClassifier(12, 2, 8, 2, 2), lambda: TEXTS),
    "recurrent": (lambda: RecurrentClassifier(12, 2, 8, 8), lambda: TEXTS),
    "cnn": (lambda: SmallCNN(3, 2, (8, 8)), images),
    "cnn with batch norm": (lambda: SmallCNN(3, 2, (8, 8), normalization="batch"), images),
}
METHODS = {
    "pear": lambda backbone: PEAR(backbone, explainers=PAIR),
    "right reasons": lambda backbone: RightForTheRightReasons(backbone),
}
every_backbone = pytest.mark.parametrize(("build", "batch"), BACKBONES.values(), ids=BACKBONES)
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


class LowRank(nn.Module):
    """W x + B A x with a frozen W, as in LoRA (Hu et al., 2021), but with B different from 0."""

    def __init__(self, layer: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(layer.in_features, rank, bias=False)
        self.up = nn.Linear(rank, layer.out_features, bias=False)

    def forward(self, x):
        return self.layer(x) + self.up(self.down(x))


def adapted(model: nn.Module) -> nn.Module:
    model.requires_grad_(False)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, LowRank(child))
    return model


def penalty_gradients(module, batch):
    terms = module.training_loss(batch)
    (terms["consensus"] if "consensus" in terms else terms["reasons"]).backward()
    return {n: p.grad for n, p in module.backbone.named_parameters() if p.grad is not None}


@every_backbone
@every_method
def test_a_frozen_body_stays_and_its_head_learns(build, batch, method):
    model = build()
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    found = penalty_gradients(method(model), batch())
    assert "head.weight" in found
    assert {name.partition(".")[0] for name in found} == {"head"}
    assert found["head.weight"].abs().sum() > 0


@every_backbone
@every_method
def test_adapters_learn_and_the_rest_stays(build, batch, method):
    model = adapted(build())
    found = penalty_gradients(method(model), batch())
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert set(found) <= set(trained)
    assert all(".down." in name or ".up." in name for name in trained)
    for name, gradient in found.items():
        assert gradient.isfinite().all(), name
    assert sum(gradient.abs().sum() for gradient in found.values()) > 0
    assert len(found) >= len(trained) - 2


class Checkpointed(nn.Module):
    """Computes its body again in the backward pass, in training mode only."""

    def __init__(self, model: SmallCNN) -> None:
        super().__init__()
        self.model = model
        self.again = 0

    def forward(self, inputs):
        if not self.training:
            return self.model(inputs)
        self.again += 1
        return checkpoint(self.model, inputs, use_reentrant=False)


@pytest.mark.parametrize("normalization", ["group", "batch"])
@every_method
def test_gradient_checkpointing_changes_no_gradient(method, normalization):
    gradients = []
    for wrap in (lambda model: model, Checkpointed):
        torch.manual_seed(0)
        backbone = wrap(SmallCNN(3, 2, (8, 8), normalization=normalization))
        module = method(backbone)
        module.objective.rows = 1  # so that the task loss has a pass of its own, in training mode
        torch.manual_seed(1)
        module.training_loss(images())["loss"].backward()
        gradients.append([p.grad for p in backbone.parameters()])
    assert backbone.again >= 1
    torch.testing.assert_close(*gradients)
