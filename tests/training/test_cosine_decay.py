"""CosineDecay is the cosine of torch over the epochs of the trainer."""

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, IterableDataset

from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.resumable_loader import ResumableLoader
from pear_lightning.modules import PEAR, FindAnotherExplanation
from pear_lightning.nn import MLP
from pear_lightning.training import CosineDecay
from tests.modules.helpers import loader, quiet_trainer, sgd, table


def rates(build, epochs):
    optimizer = sgd([torch.zeros(1, requires_grad=True)])
    scheduler = build(optimizer)
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize("epochs", [1, 2, 7, 50])
def test_is_the_cosine_of_torch(epochs):
    ours = rates(lambda each: CosineDecay(each, n_epochs=epochs), epochs)
    assert ours == pytest.approx(rates(lambda each: CosineAnnealingLR(each, epochs), epochs))


def module():
    network = MLP(6, hidden_features=(8,))
    return PEAR(network, consensus_weight=0, optimizer=sgd, lr_scheduler=CosineDecay)


class Rates(Callback):
    """Keeps the learning rate of each epoch."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if not batch_idx:
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(table(48))


@pytest.mark.parametrize(
    ("limits", "epochs"),
    [
        ({"max_epochs": 3}, 3),
        ({"max_epochs": None, "max_steps": 9}, 3),
        ({"max_epochs": 10, "max_steps": 9}, 3),
        ({"max_epochs": None, "max_steps": 7}, 3),  # the third has one batch
        ({"max_epochs": None, "max_steps": 8, "accumulate_grad_batches": 2}, 4),  # 2 + 1 batches
        ({"max_epochs": None, "max_steps": 8, "limit_train_batches": 2}, 4),
    ],
)
def test_follows_the_cosine_over_the_epochs_of_the_fit(limits, epochs):
    rates_of_fit = Rates()
    trainer = quiet_trainer(callbacks=[rates_of_fit], **limits)
    trainer.fit(module(), loader(48))
    scheduler = trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.n_epochs == epochs
    assert rates_of_fit.seen == pytest.approx(
        rates(lambda each: CosineDecay(each, n_epochs=epochs), epochs)
    )


def test_restarts_for_each_model_of_find_another_explanation():
    rates_of_fit = Rates()
    model = FindAnotherExplanation(
        MLP(6),
        max_models=2,
        epochs_per_model=3,
        max_similarity=1.0,
        max_accuracy_drop=1.0,
        optimizer=sgd,
        lr_scheduler=CosineDecay,
    )
    quiet_trainer(callbacks=[rates_of_fit], max_epochs=6).fit(model, loader(48))
    of_one = rates(lambda each: CosineDecay(each, n_epochs=3), 3)
    assert rates_of_fit.seen == pytest.approx(2 * of_one)


def test_a_stream_needs_epochs():
    """Its length is unknown, and with it the number of epochs in a number of steps."""
    data = DataLoader(Stream(), batch_size=16)
    with pytest.raises(ValueError, match="n_epochs must be given for CosineDecay if the trainer"):
        quiet_trainer(max_epochs=None, max_steps=9).fit(module(), data)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(module(), data)
    assert trainer.lr_scheduler_configs[0].scheduler.n_epochs == 3


def test_a_resumed_fit_continues_within_the_epoch(tmp_path):
    """The length is read without loading the data before the loader's state is restored."""
    seen = []

    class Seen(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(batch[0][:, 0].tolist())

    def fit(**kwargs):
        torch.manual_seed(1)
        rows = table(48)
        data = ResumableLoader(rows, batch_size=8, sampler=EpochShuffle(rows))
        keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=4, save_top_k=-1)
        trainer = quiet_trainer(
            max_epochs=None, max_steps=12, enable_checkpointing=True, callbacks=[Seen(), keep]
        )
        trainer.fit(module(), data, **kwargs)

    fit()
    whole = list(seen)
    seen.clear()
    fit(ckpt_path=tmp_path / "step=4.ckpt")
    assert seen == whole[4:]


def test_resumes_with_the_epochs_of_the_new_trainer(tmp_path):
    model, trainer = module(), quiet_trainer(max_epochs=2)
    trainer.fit(model, loader(48))
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    torch.load(tmp_path / "two.ckpt", weights_only=True)
    longer = quiet_trainer(max_epochs=4)
    longer.fit(module(), loader(48), ckpt_path=tmp_path / "two.ckpt")
    assert longer.lr_scheduler_configs[0].scheduler.n_epochs == 4


def test_errors():
    optimizer = sgd([torch.zeros(1, requires_grad=True)])
    with pytest.raises(ValueError, match="n_epochs must be at least 1 or None, got 0"):
        CosineDecay(optimizer, n_epochs=0)
    scheduler = CosineDecay(optimizer)
    optimizer.step()
    with pytest.raises(ValueError, match="n_epochs must be given outside"):
        scheduler.step()
    with pytest.raises(ValueError, match="max_epochs must be a number for CosineDecay, got -1"):
        quiet_trainer(max_epochs=-1).fit(module(), loader(48))
