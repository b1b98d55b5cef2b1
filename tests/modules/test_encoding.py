"""A module that is evaluated on rows with another scaler than in its fit says so."""

import pytest
import torch

from pear_lightning.datamodules import BreastCancer
from pear_lightning.modules import PEAR, ScoresActivationModule
from pear_lightning.nn import MLP
from tests.modules.helpers import quiet_trainer


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    model = PEAR(MLP(30, hidden_features=(8,)), consensus_weight=0)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, BreastCancer(val_fraction=0.25))
    path = tmp_path_factory.mktemp("fit") / "model.ckpt"
    trainer.save_checkpoint(path)
    return model, path


OTHER = "encodes its rows differently from that of the fit"


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_another_scaler_warns(fitted, stage):
    model, _ = fitted
    with pytest.warns(UserWarning, match=OTHER):
        getattr(quiet_trainer(), stage)(model, BreastCancer(val_fraction=0.5))


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_the_same_scaler_does_not(fitted, stage):
    model, _ = fitted
    getattr(quiet_trainer(), stage)(model, BreastCancer(val_fraction=0.25))


def test_a_loaded_module_remembers(fitted):
    model = PEAR.load_from_checkpoint(fitted[1], backbone=MLP(30, hidden_features=(8,)))
    with pytest.warns(UserWarning, match=OTHER):
        quiet_trainer().test(model, BreastCancer())


def test_the_checkpoint_brings_the_scaler(fitted):
    """Rows are encoded as in the fit, whatever the data module was fitted to before."""
    model, path = fitted
    data, other = BreastCancer(val_fraction=0.25), BreastCancer()
    for each in (data, other):
        each.setup()
    quiet_trainer().test(model, other, ckpt_path=path)  # without a warning, which is an error
    assert torch.equal(other.rows("test").inputs, data.rows("test").inputs)


def test_modules_with_a_checkpoint_of_their_own_remember_too(tmp_path):
    model = ScoresActivationModule(MLP(30))
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, BreastCancer(val_fraction=0.25))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = ScoresActivationModule.load_from_checkpoint(tmp_path / "model.ckpt", backbone=MLP(30))
    with pytest.warns(UserWarning, match=OTHER):
        quiet_trainer().test(again, BreastCancer())
