"""Lightning's callbacks that average weights, with modules whose explainers need training data."""

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.explainers import ExpectedGradients, Gradient, IntegratedGradients
from pear_lightning.losses import RightReasonsLoss
from pear_lightning.modules import PEAR, DeepLasso, RightForTheRightReasons, ScoresActivationModule
from pear_lightning.nn import MLP
from tests.modules.helpers import WeightsOfSteps, loader, quiet_trainer, sgd, table, weights

pytestmark = [
    pytest.mark.filterwarnings("ignore:the inputs of a feature gate"),
    pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part"),  # nothing is annotated
]


def network() -> nn.Module:
    return MLP(6, hidden_features=(8,), activation="tanh")


def right_reasons() -> RightForTheRightReasons:
    of_mean = IntegratedGradients(3, baseline="mean")
    loss = RightReasonsLoss(explainers={"integrated": of_mean}, output="logit")
    return RightForTheRightReasons(network(), loss=loss, optimizer=sgd)


MODULES = {
    "PEAR": lambda: PEAR(network(), top_k=3, optimizer=sgd),
    "PEAR of drawn backgrounds": lambda: PEAR(
        network(), explainers=[Gradient(), ExpectedGradients(2)], top_k=3, optimizer=sgd
    ),
    "RightForTheRightReasons": right_reasons,
    "DeepLasso": lambda: DeepLasso(network(), optimizer=sgd),
    "ScoresActivation": lambda: ScoresActivationModule(network(), optimizer=sgd),
}


@pytest.mark.parametrize("name", MODULES)
def test_the_moving_average_of_the_weights_is_what_is_kept(name, tmp_path):
    torch.manual_seed(0)
    module, steps = MODULES[name](), WeightsOfSteps()
    trainer = quiet_trainer(max_epochs=3, callbacks=[EMAWeightAveraging(decay=0.5), steps])
    trainer.fit(module, loader(), loader(rows=32))
    averaged = steps.averaged(0.5)
    assert any((a != b).any() for a, b in zip(averaged, steps.steps[-1], strict=True))
    for found, expected in zip(weights(module), averaged, strict=True):
        torch.testing.assert_close(found, expected)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = MODULES[name]()
    again.load_state_dict(torch.load(tmp_path / "model.ckpt")["state_dict"])
    for found, expected in zip(weights(again), averaged, strict=True):
        torch.testing.assert_close(found, expected)


def test_baselines_stay_the_mean_of_the_training_data():
    module = MODULES["PEAR"]()
    trainer = quiet_trainer(max_epochs=2, callbacks=[EMAWeightAveraging(decay=0.5)])
    trainer.fit(module, loader(), loader(rows=32))
    mean = table().tensors[0].mean(dim=0)
    fitted = [value for key, value in module.state_dict().items() if key.endswith("baseline.value")]
    fitted = [value for value in fitted if value.ndim]  # others are zero by choice
    assert len(fitted) >= 3
    for value in fitted:
        torch.testing.assert_close(value, mean)


@pytest.mark.parametrize("name", MODULES)
def test_a_fit_with_averages_resumes_as_if_it_had_not_stopped(name, tmp_path):
    def fit(epochs, **kwargs):
        torch.manual_seed(0)
        module = MODULES[name]()
        trainer = quiet_trainer(max_epochs=epochs, callbacks=[EMAWeightAveraging(decay=0.5)])
        trainer.fit(module, loader(), loader(rows=32), **kwargs)
        return module, trainer

    _, stopped = fit(1)
    stopped.save_checkpoint(tmp_path / "model.ckpt")
    resumed, _ = fit(2, ckpt_path=tmp_path / "model.ckpt")
    assert all(p.isfinite().all() for p in resumed.parameters())


def test_the_old_averaging_of_lightning():
    torch.manual_seed(0)
    module = MODULES["PEAR"]()
    averaging = StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=1, annealing_epochs=1)
    trainer = quiet_trainer(max_epochs=3, callbacks=[averaging])
    data = DataLoader(table(), batch_size=16)
    trainer.fit(module, data, loader(rows=32))
    assert all(p.isfinite().all() for p in module.parameters())
