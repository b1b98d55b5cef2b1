"""Networks whose layers have no second derivative train with explainers that remove features."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.explainers import Explainer, Gradient, InputXGradient, KernelShap, Lime
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import ColumnMasker, Masker, PatchMasker
from pear_lightning.modules import PEAR
from pear_lightning.scoring.kernels import has_recurrent_layers
from tests.modules.helpers import quiet_trainer, sgd
from tests.test_batch_forms import Foreign

ROWS = 8


class FusedAttention(nn.Module):
    """A transformer layer on the columns of a table, with fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_column = nn.Linear(1, 8)
        self.position = nn.Parameter(torch.randn(6, 8))
        self.qkv = nn.Linear(8, 24)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed_column(x[..., None]) + self.position
        query, key, value = (
            each.unflatten(2, (2, 4)).transpose(1, 2) for each in self.qkv(tokens).chunk(3, dim=2)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        logits: Tensor = self.head(self.norm(tokens + mixed.transpose(1, 2).flatten(2)).mean(1))
        return logits


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(x[..., None])[0].mean(dim=1))
        return logits


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 6, 1), nn.Conv2d(6, channels, 1)
        self.activation, self.scale = nn.ReLU(inplace=True), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(x, 1)
        return x * self.scale(self.up(self.activation(self.down(pooled))))


class MobileNetV3(nn.Sequential):
    """A block of MobileNetV3, with its hardswish and hardsigmoid."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Hardswish(inplace=True),
            nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Hardswish(inplace=True), SqueezeExcite(6),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 2),
        )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Masker]] = {
    "fused attention": (FusedAttention, (6,), ColumnMasker(6)),
    "LSTM": (Recurrent, (6,), ColumnMasker(6)),
    "MobileNetV3": (MobileNetV3, (1, 8, 8), PatchMasker(4)),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def perturbation_set(masker: Masker) -> dict[str, Explainer]:
    return {
        "kernel_shap": KernelShap(16, masker=masker),
        "lime": Lime(16, masker=masker, penalty="ridge"),
    }


def data(shape: tuple[int, ...]) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.rand(ROWS, *shape), torch.arange(ROWS) % 2), ROWS)


def moved(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, each in network.named_parameters() if (each != before[name]).any()}


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in network.named_parameters()}


# Weights that cannot matter: what is added to all outputs alike, and to keys of attention.
FREE = {"head.bias", "8.bias", "lstm.bias_hh_l0"}


@every_network
def test_a_step_of_pear(name: str) -> None:
    build, shape, masker = NETWORKS[name]
    model = PEAR(
        build(), consensus_weight=1.0, explainers=perturbation_set(masker), masker=masker,
        top_k=2, optimizer=sgd,
    )  # fmt: skip
    before = copied(model.backbone)
    quiet_trainer(max_steps=1).fit(model, data(shape))
    assert moved(model.backbone, before) >= set(before) - FREE


@every_network
def test_a_step_of_the_callback(name: str) -> None:
    build, shape, masker = NETWORKS[name]
    module = Foreign()
    module.net = build()  # type: ignore[assignment]
    loss = ConsensusLoss(masker=masker).explain_with(perturbation_set(masker))
    before = copied(module.net)
    regularizer = ExplanationRegularizer(loss, weight=1.0)  # the task loss has the weight 0
    quiet_trainer(max_steps=1, callbacks=[regularizer]).fit(module, data(shape))
    assert moved(module.net, before) >= set(before) - FREE


def test_gradient_explainers_name_the_layer_of_mobilenet() -> None:
    pair = {"gradient": Gradient(), "contribution": InputXGradient()}
    model = PEAR(MobileNetV3(), explainers=pair, optimizer=sgd)
    with pytest.raises(RuntimeError, match=r"layer '5\.scale' \(Hardsigmoid\) must have a second"):
        quiet_trainer(max_steps=1).fit(model, data((1, 8, 8)))


def test_the_attention_has_no_second_derivative() -> None:
    """The premise: outside explain(), which replaces it, the fused kernel refuses training."""
    x = torch.rand(2, 6).requires_grad_()
    (gradient,) = torch.autograd.grad(FusedAttention()(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"_scaled_dot_product_.*is not implemented"):
        gradient.square().sum().backward()
    assert has_recurrent_layers(Recurrent())
