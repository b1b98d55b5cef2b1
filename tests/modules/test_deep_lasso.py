import warnings

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.modules import DeepLasso
from pear_lightning.nn import MLP
from tests.modules.helpers import quiet_trainer
from tests.reference import scores_activation as reference


def rows(count=96, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    return x, (x[:, 0] + x[:, 1].abs() > 0.7).long()


def loader(count=96, **kwargs):
    return DataLoader(TensorDataset(*rows(count, **kwargs)), batch_size=32)


def adam(params):
    return torch.optim.Adam(params, lr=5e-3)


def loss_gradient(model, x, loss):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(loss(model.backbone(x)), x)[0]


def test_loss_is_the_papers_formula():
    model = DeepLasso(MLP(6), 0.3)
    x, y = rows(8)
    parts = model.training_loss((x, y))
    gradient = loss_gradient(model, x, lambda logits: F.cross_entropy(logits, y))
    task = F.cross_entropy(model.backbone(x), y).item()
    penalty = reference.deep_lasso(gradient)
    assert parts["penalty"].item() == pytest.approx(penalty, rel=1e-5)
    assert parts["loss"].item() == pytest.approx(0.7 * task + 0.3 * penalty, rel=1e-5)


@pytest.mark.parametrize("squeeze", [False, True])
def test_loss_of_a_regression(squeeze):
    body = nn.Sequential(MLP(6, 1), nn.Flatten(0)) if squeeze else MLP(6, 1)
    model = DeepLasso(body, 0.3, task="regression", in_features=6)
    x, y = torch.randn(8, 6), torch.randn(8)
    gradient = loss_gradient(model, x, lambda outputs: F.mse_loss(outputs.flatten(), y))
    parts = model.training_loss((x, y))
    assert parts["penalty"].item() == pytest.approx(reference.deep_lasso(gradient), rel=1e-5)
    assert parts["task_loss"].item() == pytest.approx(F.mse_loss(model(x).flatten(), y).item())


def flat_regression():
    """About 1000 for any row, which bfloat16 represents exactly."""
    body = nn.Linear(6, 1)
    nn.init.constant_(body.weight, 1e-3)
    nn.init.constant_(body.bias, 1000.0)
    return DeepLasso(body, 0.3, task="regression")


@pytest.mark.parametrize(("dtype", "value"), [(torch.bfloat16, 1001.5), (torch.float16, 200_000.0)])
def test_values_of_a_regression_keep_their_precision_under_autocast(dtype, value):
    """In the precision of the outputs, 1001.5 is 1000 and 200000 is infinite."""
    model, x, y = flat_regression(), torch.randn(8, 6), torch.full((8,), value)
    with torch.autocast("cpu", dtype):
        outputs = model(x)
        found = model.task_loss(outputs, y)
    assert outputs.dtype == dtype
    assert found.item() == pytest.approx(F.mse_loss(outputs.float().flatten(), y).item())


def test_the_penalty_of_a_regression_keeps_the_precision_of_the_values_under_autocast():
    model, x, y = flat_regression(), torch.randn(8, 6), torch.full((8,), 1001.5)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model(x).float().flatten()
        penalty = model.training_loss((x, y))["penalty"]
    gradients = 2 * (outputs - y)[:, None] * model.backbone.weight / len(x)
    wanted = reference.deep_lasso(gradients.detach())
    assert penalty.item() == pytest.approx(wanted, rel=0.01)  # the weight is rounded


def test_metrics_of_a_regression_keep_the_precision_of_the_values():
    model = flat_regression()
    nn.init.zeros_(model.backbone.weight)
    data = DataLoader(TensorDataset(torch.randn(64, 6), 1001 + torch.rand(64)), batch_size=16)
    whole, mixed = (
        quiet_trainer(precision=precision).validate(model, data, verbose=False)[0]
        for precision in ("32-true", "bf16-mixed")
    )
    assert mixed == pytest.approx(whole)


def test_the_penalty_changes_the_gradients_of_the_weights():
    gradients = []
    for weight in (0.0, 0.5):
        torch.manual_seed(0)
        model = DeepLasso(MLP(6), weight)
        model.training_loss(rows(8))["loss"].backward()
        gradients.append(model.backbone.layers[0].weight.grad / (1 - weight))
    assert not torch.allclose(*gradients)


def test_training_finds_the_relevant_features():
    seed_everything(0)
    model = DeepLasso(MLP(6, hidden_features=(16,)), 0.3, optimizer=adam)
    trainer = quiet_trainer(max_epochs=15)
    trainer.fit(model, loader(384), loader(128, seed=1))
    assert set(model.scores.topk(2).indices.tolist()) == {0, 1}
    assert trainer.callback_metrics["val_accuracy"] > 0.8


def test_scores_are_the_gradients_of_the_last_epoch():
    x, y = rows(80)

    def frozen(params):
        return torch.optim.SGD(params, lr=0.0)

    model = DeepLasso(MLP(6), 0.3, optimizer=frozen)
    quiet_trainer(max_epochs=2).fit(model, loader(80))
    total = loss_gradient(model, x, lambda logits: F.cross_entropy(logits, y, reduction="sum"))
    torch.testing.assert_close(model.scores, total.square().mean(dim=0).sqrt())


def test_scores_forget_earlier_epochs():
    model = DeepLasso(MLP(6), 0.3, optimizer=lambda params: torch.optim.SGD(params, lr=0.5))
    squares = []
    model.loss.register_forward_hook(
        lambda _, gradients, __: squares.append(gradients[0].detach().square().sum(dim=0))
    )
    quiet_trainer(max_epochs=3).fit(model, loader(96))
    first, _, last = torch.stack(squares).view(3, 3, -1).sum(dim=1)  # epochs of three batches
    assert not torch.allclose(first, last, rtol=0.1)
    torch.testing.assert_close(model.scores, (last / 96).sqrt())


class Reader(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        self.scores = pl_module.scores


class Stops(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = batch_idx == 1  # as a limit of time does


@pytest.mark.parametrize("limit", ["steps", "time"])
def test_scores_of_a_training_that_ends_within_an_epoch(limit):
    x, y = (each[:64] for each in rows(96))
    model = DeepLasso(MLP(6), 0.3, optimizer=lambda params: torch.optim.SGD(params, lr=0.0))
    reader = Reader()
    settings = {"max_steps": 2} if limit == "steps" else {}
    callbacks = [reader] if limit == "steps" else [reader, Stops()]
    quiet_trainer(max_epochs=1, callbacks=callbacks, **settings).fit(model, loader(96))
    total = loss_gradient(model, x, lambda logits: F.cross_entropy(logits, y, reduction="sum"))
    torch.testing.assert_close(model.scores, total.square().mean(dim=0).sqrt())
    assert torch.equal(reader.scores, model.scores)  # as other callbacks see them


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.filterwarnings("ignore:You.re resuming from a checkpoint that ended before the epoch")
def test_scores_of_an_epoch_that_is_resumed_in_its_middle_are_of_all_of_it(tmp_path):
    squares = []

    def trained(ckpt_path=None, **kwargs):
        model = DeepLasso(MLP(6), 0.3, optimizer=lambda params: torch.optim.SGD(params, lr=0.1))
        model.loss.register_forward_hook(
            lambda _, gradients, __: squares.append(gradients[0].detach().square().sum(dim=0))
        )
        trainer = quiet_trainer(max_epochs=1, **kwargs)
        trainer.fit(model, loader(96), ckpt_path=ckpt_path)
        return model

    saver = ModelCheckpoint(tmp_path, filename="middle", every_n_train_steps=2)
    trained(callbacks=[saver], enable_checkpointing=True)
    resumed = trained(ckpt_path=tmp_path / "middle.ckpt")
    assert len(squares) == 3 + 1
    squares = [*squares[:2], squares[3]]  # those before the checkpoint, and after it
    torch.testing.assert_close(resumed.scores, (sum(squares) / 96).sqrt())


def test_gradient_accumulation_changes_the_penalty_and_says_so():
    with pytest.warns(UserWarning, match="DeepLassoLoss is a property of a batch, .*=2 it is the"):
        quiet_trainer(max_epochs=1, accumulate_grad_batches=2).fit(DeepLasso(MLP(6)), loader())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "DeepLassoLoss is a property")
        quiet_trainer(max_epochs=1).fit(DeepLasso(MLP(6)), loader())


def test_dropout_is_in_the_task_loss_and_not_in_the_gradients():
    model = DeepLasso(MLP(6, dropout=0.5), 0.3).train()
    x, y = rows(32)
    one, other = (model.training_loss((x, y)) for _ in range(2))
    assert one["task_loss"] != other["task_loss"]
    torch.testing.assert_close(one["penalty"], other["penalty"])


def test_checkpoint_reloads_under_weights_only(tmp_path):
    model = DeepLasso(MLP(6), 0.3)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader())
    trainer.save_checkpoint(tmp_path / "lasso.ckpt")
    again = DeepLasso.load_from_checkpoint(tmp_path / "lasso.ckpt", backbone=MLP(6))
    assert model.scores.min() > 0
    torch.testing.assert_close(again.scores, model.scores)
    assert again.weight == 0.3


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match=r"weight must lie in \[0, 1\], got 2"):
        DeepLasso(MLP(6), 2)
    with pytest.raises(ValueError, match="must have an attribute in_features, got Sequential"):
        DeepLasso(nn.Sequential(MLP(6)))
    with pytest.raises(ValueError, match="precision must be one of"):
        quiet_trainer(precision="bf16-true").fit(DeepLasso(MLP(6)), loader())


def test_the_weight_can_be_changed_between_runs():
    model = DeepLasso(MLP(4), weight=0.2)
    model.weight = 0.0
    parts = model.training_loss((torch.randn(8, 4), torch.randint(2, (8,))))
    assert model.weight == 0
    torch.testing.assert_close(parts["loss"], parts["task_loss"])
    with pytest.raises(ValueError, match=r"weight must lie in \[0, 1\], got 1.5"):
        model.weight = 1.5
