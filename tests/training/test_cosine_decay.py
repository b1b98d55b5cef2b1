"""CosineDecay is the cosine of torch over the epochs of the trainer."""

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP
from pear_lightning.training import CosineDecay
from tests.modules.helpers import loader, quiet_trainer, sgd


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


def rate_after(**kwargs):
    trainer = quiet_trainer(**kwargs)
    trainer.fit(module(), loader(48))
    return trainer.lr_scheduler_configs[0].scheduler.get_last_lr()[0]


@pytest.mark.parametrize("limits", [{"max_epochs": 3}, {"max_epochs": -1, "max_steps": 9}])
def test_ends_with_the_fit(limits):
    assert rate_after(**limits) == pytest.approx(0, abs=1e-9)


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
