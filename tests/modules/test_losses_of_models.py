"""Losses of the model itself, through the doors that train with them."""

import copy
from contextlib import nullcontext

import pytest
import torch
from lightning.pytorch import LightningModule, seed_everything
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import ExplanationRegularizer
from pear_lightning.losses import (
    CDEPLoss,
    CoRMLoss,
    CounterexamplesLoss,
    DeepLassoLoss,
    HINTLoss,
    IBPExLoss,
    PGDExLoss,
    PGDR4Loss,
    R4Loss,
    RandR4Loss,
    RBRIdentityHessianLoss,
    RightReasonsLoss,
    RRRGLoss,
    SimplifiedHINTLoss,
)
from pear_lightning.masking import PatchMasker
from pear_lightning.modules import DeepLasso, RightForTheRightReasons
from pear_lightning.nn import MLP
from pear_lightning.scoring import Batch
from tests.ddp import run_distributed
from tests.losses.model_losses import batch, network
from tests.modules.helpers import quiet_trainer, sgd, weights

LOSSES = {
    "R4": lambda: R4Loss(0.1),
    "PGD-R4": lambda: PGDR4Loss(0.1, 2),
    "Rand-R4": lambda: RandR4Loss(0.1, 2, seed=0),
    "IBP-Ex": lambda: IBPExLoss(0.1, ramp_steps=3),
    "RRR-G": lambda: RRRGLoss("0"),
    "HINT": lambda: HINTLoss(PatchMasker(2)),
    "HINT, simplified": lambda: SimplifiedHINTLoss("0"),
    "CDEP": CDEPLoss,
    "RBR": RBRIdentityHessianLoss,
}


class Plain(LightningModule):
    """Somebody's module: cross-entropy, SGD, nothing else."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def data(annotated):
    torch.manual_seed(1)
    x, y, _ = batch(12)
    mask = torch.cat([batch(6, annotated)[2]] * 2)
    return DataLoader(TensorDataset(x, y, mask), batch_size=6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("annotated", [2, 6])
def test_module_and_callback_train_alike(name, annotated):
    net = network(0.0)
    net[1] = nn.Identity()  # the callback sees running statistics one step later
    seed_everything(0)
    module = RightForTheRightReasons(
        copy.deepcopy(net), 2.0, LOSSES[name](), num_classes=3, optimizer=sgd
    )
    quiet_trainer(max_epochs=2).fit(module, data(annotated))
    seed_everything(0)
    plain = Plain(copy.deepcopy(net))
    regularizer = ExplanationRegularizer(LOSSES[name](), 2.0, model="net")
    quiet_trainer(max_epochs=2, callbacks=[regularizer]).fit(plain, data(annotated))
    torch.testing.assert_close(weights(module.backbone), weights(plain.net), rtol=1e-3, atol=1e-5)
    seed_everything(0)
    alone = Plain(copy.deepcopy(net))
    quiet_trainer(max_epochs=2).fit(alone, data(annotated))
    differences = [(a - b).abs().max() for a, b in zip(weights(alone), weights(plain), strict=True)]
    assert max(differences) > 1e-6


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
@pytest.mark.parametrize("name", [*LOSSES, "RRR"])
def test_module_and_callback_agree_on_half_precision(name, precision):
    make = {**LOSSES, "RRR": RightReasonsLoss}[name]
    trains = precision == "bf16-true" or not make().differentiates_gradients
    refused = pytest.raises(ValueError, match=r"precision must be one of .*, got '16-true'")
    module = RightForTheRightReasons(network(), 1.0, make(), num_classes=3, optimizer=sgd)
    with nullcontext() if trains else refused:
        quiet_trainer(max_epochs=1, precision=precision).fit(module, data(2), data(2))
    plain, callbacks = Plain(network()), [ExplanationRegularizer(make(), model="net")]
    with nullcontext() if trains else refused:
        quiet_trainer(max_epochs=1, precision=precision, callbacks=callbacks).fit(plain, data(2))
    assert all(weight.isfinite().all() for weight in (*weights(module), *weights(plain)))


@pytest.mark.parametrize("name", LOSSES)
def test_evaluation_and_mixed_precision_in_one_process(name):
    module = RightForTheRightReasons(network(), 1.0, LOSSES[name](), num_classes=3, optimizer=sgd)
    trainer = quiet_trainer(max_epochs=1, precision="bf16-mixed")
    trainer.fit(module, data(2), data(2))
    assert all(weight.isfinite().all() for weight in weights(module))
    (validated,) = trainer.validate(module, data(2), verbose=False)
    (tested,) = trainer.test(module, data(2), verbose=False)
    assert validated["val_reasons"] == pytest.approx(tested["test_reasons"])
    assert validated["val_reasons"] >= 0
    trainer.predict(module, data(2))


def test_the_ramp_is_in_the_checkpoint(tmp_path):
    module = RightForTheRightReasons(
        network(), 1.0, IBPExLoss(0.1, ramp_steps=4), num_classes=3, optimizer=sgd
    )
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(module, data(2), data(2))
    assert module.loss.ramp == 0.5
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    restored = RightForTheRightReasons.load_from_checkpoint(
        tmp_path / "model.ckpt", backbone=network(), loss=IBPExLoss(0.1, ramp_steps=4)
    )
    assert restored.loss.ramp == 0.5


def gradients_of_rank(rank, world_size):
    """Gradients of a step of each loss beside a task loss."""
    found = {}
    for name, make in LOSSES.items():
        torch.manual_seed(0)
        model, loss, (x, y, mask) = network(0.0).double().eval(), make(), batch()
        x = x.double()

        class Step(nn.Module):
            def __init__(self, model, loss):
                super().__init__()
                self.model, self.loss = model, loss

            def forward(self, x, y, mask):
                penalty = self.loss.of_model(self.model, (x, y, mask))[1]
                return F.cross_entropy(self.model(x), y) + 3 * penalty

        step = Step(model, loss)
        if world_size > 1:
            step = nn.parallel.DistributedDataParallel(step)
        for _ in range(2):  # an unsynchronised first step shows in the second
            model.zero_grad()
            step(*(part[rank::world_size] for part in (x, y, mask))).backward()
        found[name] = [parameter.grad for parameter in model.parameters()]
    return found


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one_process():
    alone = gradients_of_rank(0, 1)
    for of_rank in run_distributed(gradients_of_rank):
        torch.testing.assert_close(of_rank, alone)


LABELLED = {
    **{name: LOSSES[name] for name in ("R4", "PGD-R4", "Rand-R4", "IBP-Ex", "CDEP", "RBR")},
    "CE": CounterexamplesLoss,
    "CoRM": CoRMLoss,
    "PGD-Ex": PGDExLoss,
}


@pytest.mark.parametrize("name", LABELLED)
def test_losses_of_labels_are_refused_in_regression(name):
    loss = LABELLED[name]()
    with pytest.raises(ValueError, match=f"must not need classes .*, got {type(loss).__name__}"):
        RightForTheRightReasons(MLP(4, 1), 1.0, loss, task="regression")
    x, mask = torch.rand(8, 4), torch.ones(8, 4)
    data = DataLoader(TensorDataset(x, torch.rand(8), mask))
    for batch_to_inputs in (None, lambda batch: Batch(batch[0], None, batch[2])):
        regularizer = ExplanationRegularizer(loss, model="net", batch_to_inputs=batch_to_inputs)
        with pytest.raises(ValueError, match=f"must hold classes, .* {type(loss).__name__}, got"):
            quiet_trainer(callbacks=[regularizer]).fit(Plain(MLP(4, 2)), data)


def test_a_loss_of_the_task_loss_receives_the_values_of_a_regression():
    module = RightForTheRightReasons(MLP(4, 1), 0.2, DeepLassoLoss(), task="regression")
    x, y = torch.randn(8, 4), torch.randn(8)
    parts = module.training_loss((x, y))
    wanted = DeepLasso(module.backbone, 0.2, task="regression").training_loss((x, y))
    torch.testing.assert_close(parts["reasons"], wanted["penalty"])
    torch.testing.assert_close(parts["loss"], wanted["loss"])
    data = DataLoader(TensorDataset(x, y), batch_size=4)
    quiet_trainer(max_epochs=1).fit(module, data, data)


def test_losses_of_the_output_train_a_regression():
    loss = RightReasonsLoss(output="logit")
    assert not loss.needs_classes
    module = RightForTheRightReasons(MLP(4, 1), 1.0, loss, task="regression", optimizer=sgd)
    data = TensorDataset(torch.rand(8, 4), torch.rand(8), torch.eye(8, 4))
    quiet_trainer(max_epochs=1).fit(module, DataLoader(data, batch_size=4))
