"""The precisions of modules and of the callback are the same, and refusals say why."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins import MixedPrecision

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.explainers import Gradient, InputXGradient, KernelShap, Occlusion
from pear_lightning.losses import ConsensusLoss, DeepLassoLoss, RightReasonsLoss
from pear_lightning.modules import PEAR, DeepLasso, RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.training.precision import explanation_precision
from tests.modules.helpers import loader, quiet_trainer, sgd, weights
from tests.test_batch_forms import Foreign

SLOPES = {"a": Gradient(), "b": InputXGradient()}
REMOVALS = {"a": KernelShap(8), "b": Occlusion()}
MODULES: dict[str, Callable[[], LightningModule]] = {
    "PEAR": lambda: PEAR(MLP(6), explainers=SLOPES, optimizer=sgd),
    "DeepLasso": lambda: DeepLasso(MLP(6), optimizer=sgd),
    "callback": Foreign,
}
COARSE = "explanations of weights in half precision are too coarse for what it compares"


def fitted(module: LightningModule, loss: Any = None, **options: Any) -> LightningModule:
    callbacks = [ExplanationRegularizer(loss)] if isinstance(module, Foreign) else []
    trainer = quiet_trainer(max_epochs=1, callbacks=callbacks, **options)
    trainer.fit(module, loader(rows=32))
    return module


@pytest.mark.parametrize("name", MODULES)
def test_float16_with_a_loss_scaler_explains_in_float32(name: str) -> None:
    loss = ConsensusLoss().explain_with(SLOPES)
    module = MODULES[name]()
    other = copy.deepcopy(module)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)  # type: ignore[attr-defined]
    fitted(module, loss)
    fitted(other, loss, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    assert scaler.get_scale() == 1024.0
    for a, b in zip(weights(module), weights(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
@pytest.mark.parametrize(
    "module",
    [
        *MODULES.values(),
        lambda: PEAR(MLP(6), explainers=REMOVALS, optimizer=sgd),
    ],
    ids=[*MODULES, "PEAR by removals"],
)
def test_half_precision_of_the_weights_is_refused_for_its_own_reason(
    module: Callable[[], LightningModule], precision: str
) -> None:
    wanted = f"must be one of .* got '{precision}'; {COARSE}"
    for loss in (ConsensusLoss().explain_with(REMOVALS), DeepLassoLoss()):
        with pytest.raises(ValueError, match=wanted):
            fitted(module(), loss, precision=precision)


def test_float16_without_a_scaler_is_refused_because_of_underflow() -> None:
    module = RightForTheRightReasons(MLP(6))
    with pytest.raises(ValueError, match=r"got '16-true'; .* keeps from underflow"):
        quiet_trainer(precision="16-true").fit(module, loader())
    with pytest.raises(ValueError, match=r"got '16-true'; .* keeps from underflow"):
        fitted(Foreign(), RightReasonsLoss(), precision="16-true")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("explainers", [SLOPES, REMOVALS], ids=["slopes", "removals"])
def test_only_second_derivatives_in_float16_leave_the_precision_of_the_trainer(
    precision: str, explainers: Any
) -> None:
    loss = ConsensusLoss().explain_with(explainers)
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    trainer: Any = SimpleNamespace(precision=precision, strategy=strategy)
    layer, x = torch.nn.Linear(3, 2), torch.rand(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        with explanation_precision(trainer, loss):
            found = layer(x).dtype
        with explanation_precision(None, loss):
            assert layer(x).dtype == torch.bfloat16
    leaves = precision == "16-mixed" and explainers is SLOPES
    assert found == (torch.float32 if leaves else torch.bfloat16)
