import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from pear_lightning.nn import timm_model


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fused_attn = True


def test_arguments_and_fused_attention(monkeypatch):
    """A stand-in for timm, so that this runs without it."""
    seen = {}

    def create_model(name, **kwargs):
        seen.update(kwargs, name=name)
        return nn.Sequential(nn.Linear(2, 2), nn.Sequential(Attention()))

    timm = ModuleType("timm")
    timm.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", timm)
    model = timm_model("vit", num_classes=3, in_chans=1, img_size=32)
    assert seen == {
        "name": "vit",
        "pretrained": False,
        "num_classes": 3,
        "in_chans": 1,
        "img_size": 32,
    }
    assert not model[1][0].fused_attn
    assert not hasattr(model[0], "fused_attn")


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"pip install 'pear-lightning\[vision\]'"):
        timm_model("resnet18", num_classes=2)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("resnet18", {"zero_init_last": False}), ("vit_tiny_patch16_224", {"img_size": 32})],
)
def test_gradients_of_gradients_reach_the_weights(name, arguments):
    pytest.importorskip("timm", exc_type=ImportError)
    model = timm_model(name, num_classes=5, in_chans=1, **arguments).eval()
    logits, vjp = torch.func.vjp(model, torch.randn(2, 1, 32, 32))
    assert logits.shape == (2, 5)
    vjp(torch.ones_like(logits))[0].square().sum().backward()
    first = next(p for p in model.parameters() if p.ndim == 4)
    assert first.grad.abs().sum() > 0
