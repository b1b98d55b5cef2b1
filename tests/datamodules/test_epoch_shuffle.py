import torch

from pear_lightning.datamodules import BreastCancer
from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from tests.modules.helpers import quiet_trainer


def orders(seed, epochs):
    torch.manual_seed(seed)
    sampler = EpochShuffle(range(50))
    result = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        torch.rand(3)  # what others draw does not matter
        result.append(list(sampler))
    return result


def test_order_depends_on_seed_and_epoch_alone():
    once, again = orders(0, 3), orders(0, 3)
    assert once == again
    assert len({tuple(order) for order in once + orders(1, 3)}) == 6
    assert all(sorted(order) == list(range(50)) for order in once)


def test_every_pass_is_another_epoch():
    torch.manual_seed(0)
    sampler = EpochShuffle(range(50))
    assert [list(sampler) for _ in range(3)] == orders(0, 3)


def test_lightning_tells_the_epoch(monkeypatch):
    from lightning.pytorch.demos.boring_classes import BoringModel

    told = []
    monkeypatch.setattr(EpochShuffle, "set_epoch", lambda _, epoch: told.append(epoch))

    class Model(BoringModel):
        def training_step(self, batch, batch_idx):
            return self.layer.weight.sum()

    quiet_trainer(max_epochs=3, limit_train_batches=2).fit(Model(), BreastCancer())
    assert sorted(set(told)) == [0, 1, 2]
