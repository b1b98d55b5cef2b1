"""Everything that a trainer holds can be pickled, before and after its use, as ddp_spawn does."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import nn

from pear_lightning import callbacks, losses
from pear_lightning.losses import ExplanationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.training import Objective
from tests.metrics.test_all_metrics import CASES, assert_same, batches, make, states
from tests.modules.helpers import loader, quiet_trainer
from tests.test_batch_forms import MODULES


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def public(package: Any, kind: type) -> list[str]:
    found = ((name, getattr(package, name)) for name in package.__all__)
    return [name for name, each in found if inspect.isclass(each) and issubclass(each, kind)]


# --- losses -----------------------------------------------------------------------------------

ARGUMENTS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "GraphSmoothnessPrior": lambda: ([(0, 1), (1, 2)],),
    "RRRGLoss": lambda: ("0",),
    "SimplifiedHINTLoss": lambda: ("0",),
    "XGradientPrior": lambda: (losses.SparsityPrior(),),
}
LOSSES = [
    name
    for name in public(losses, ExplanationLoss)
    if not inspect.isabstract(getattr(losses, name))
]


def make_loss(name: str) -> ExplanationLoss:
    loss: ExplanationLoss = getattr(losses, name)(*ARGUMENTS.get(name, tuple)())
    for explainer in loss.explainers.values():
        explainer.fit_reference(torch.zeros(1, 4, 4), torch.rand(3, 1, 4, 4))
    return loss


def network() -> nn.Module:
    """A homogeneous network with a map, which every loss can explain."""
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, 2, bias=False),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.* masks of a batch mark every feature")
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    loss, model, mask = make_loss(name), network(), torch.zeros(4, 1, 4, 4)
    mask[..., 0] = 1
    images = torch.rand(4, 1, 4, 4)
    if name == "GraphSmoothnessPrior":  # of columns
        model, images, mask = nn.Linear(3, 2), images[:, 0, 0, :3], mask[:, 0, 0, :3]
        for explainer in loss.explainers.values():
            explainer.fit_reference(torch.zeros(3), torch.rand(3, 3))
    batch = (images, torch.tensor([0, 1, 1, 0]), mask)
    for used in (again(loss), loss):
        torch.manual_seed(0)
        value = used.of_model(model, batch)[1]
        for twin in (again(used), copy.deepcopy(used)):
            torch.manual_seed(0)
            assert_same(twin.of_model(model, batch)[1].detach(), value.detach())


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
def test_a_compiled_objective() -> None:
    objective = Objective(losses.RightReasonsLoss(), 0.5, compile=True)
    objective._compiled = torch.compile(objective.loss.of_model)  # as the first step does
    for twin in (again(objective), copy.deepcopy(objective)):
        assert (twin._compiled, twin.compile_loss) == (None, True)


# --- metrics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_metrics(name: str) -> None:
    metric = make(name)
    for arguments in batches(name):
        metric = again(metric)
        metric.update(*arguments)
    twin = again(metric)
    assert_same(states(twin), states(metric))
    assert_same(twin.compute(), metric.compute())


# --- callbacks --------------------------------------------------------------------------------

CALLBACKS: dict[str, Callable[[Any], Callback]] = {
    "AgreementMonitor": lambda folder: callbacks.AgreementMonitor(top_k=3, rows=4),
    "AgreementTable": lambda folder: callbacks.AgreementTable(),
    "AlphaSchedule": lambda folder: callbacks.AlphaSchedule(
        monitor="loss", attribute="_weight_of_a_test"
    ),
    "AttributionPictures": lambda folder: callbacks.AttributionPictures(samples=2),
    "ExplainerComparison": lambda folder: callbacks.ExplainerComparison(),
    "ExplanationRegularizer": lambda folder: callbacks.ExplanationRegularizer(
        losses.ConsensusLoss()
    ),
    "FaithfulnessMonitor": lambda folder: callbacks.FaithfulnessMonitor(
        ColumnMasker(6), rows=4, n_steps=2
    ),
    "PredictionWriter": callbacks.PredictionWriter,
    "ScoresLogger": lambda folder: callbacks.ScoresLogger(table=False),
    "SupervisionWriter": lambda folder: callbacks.SupervisionWriter(str(folder)),
}


def test_every_public_callback_is_here() -> None:
    assert set(CALLBACKS) == set(public(callbacks, Callback))


@pytest.mark.filterwarnings("ignore:the inputs of a feature gate are not standardised")
@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks(name: str, tmp_path: Any) -> None:
    module = MODULES["ScoresActivationModule" if name == "ScoresLogger" else "PEAR"]()
    if name == "AlphaSchedule":
        module._weight_of_a_test = 1.0  # type: ignore[assignment]
    callback = again(CALLBACKS[name](tmp_path))
    data = loader(rows=12)
    trainer = quiet_trainer(max_epochs=1, callbacks=[callback])
    trainer.fit(module, data, data)
    assert again(callback).state_key == callback.state_key
    assert again(callback).state_dict().keys() == callback.state_dict().keys()


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    again(MODULES[name]())
