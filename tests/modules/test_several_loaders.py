"""Several validation or test loaders in one run are measured separately."""

import pytest
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader

from pear_lightning.callbacks import AgreementMonitor, AgreementTable, FaithfulnessMonitor
from pear_lightning.explainers import Gradient, InputXGradient
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import (
    PEAR,
    DeepFaith,
    DeepLasso,
    FindAnotherExplanation,
    RightForTheRightReasons,
    ScoresActivationModule,
)
from pear_lightning.nn import MLP, ExplainerMLP
from tests.modules.helpers import quiet_trainer, sgd, table

FEATURES = 6
pytestmark = pytest.mark.filterwarnings("ignore:the inputs of a feature gate")


def network():
    return MLP(FEATURES, hidden_features=(8,))


def pear():
    explainers = {"gradient": Gradient(), "product": InputXGradient()}
    return PEAR(network(), explainers=explainers, test_explainers=explainers, top_k=3,
                optimizer=sgd, test_rows=20)  # fmt: skip


MODULES = {
    "PEAR": pear,
    "RightForTheRightReasons": lambda: RightForTheRightReasons(network(), optimizer=sgd),
    "ScoresActivation": lambda: ScoresActivationModule(network(), optimizer=sgd),
    "DeepLasso": lambda: DeepLasso(network(), optimizer=sgd),
    "DeepFaith": lambda: DeepFaith(
        network().eval(), ExplainerMLP(FEATURES, hidden_features=(8,)), ColumnMasker(FEATURES)
    ),
    "FindAnotherExplanation": lambda: FindAnotherExplanation(
        network(), max_models=1, epochs_per_model=2, optimizer=sgd
    ),
}


def loaders():
    return [DataLoader(table(rows, seed=rows), batch_size=16) for rows in (32, 48)]


@pytest.mark.filterwarnings("ignore:RightReasonsLoss had no part")  # nothing is annotated
@pytest.mark.parametrize("name", MODULES)
def test_each_loader_is_measured_as_if_it_were_alone(name):
    module = MODULES[name]()
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(module, DataLoader(table(32), batch_size=16), loaders())
    fitted = dict(trainer.callback_metrics)
    several = trainer.test(module, loaders(), verbose=False)
    for number, loader in enumerate(loaders()):
        for stage, measured in (("val", fitted), ("test", several[number])):
            run = trainer.validate if stage == "val" else trainer.test
            (alone,) = run(module, loader, verbose=False)
            for metric, value in alone.items():
                assert float(measured[f"{metric}/dataloader_idx_{number}"]) == pytest.approx(
                    value, abs=1e-6
                )


def test_monitors_measure_each_loader_as_if_it_were_alone():
    def monitors():
        explainers = [Gradient(), InputXGradient()]
        return [AgreementMonitor(explainers=explainers, rows=40, top_k=3),
                FaithfulnessMonitor(ColumnMasker(FEATURES), rows=40)]  # fmt: skip

    module = pear()
    several = quiet_trainer(callbacks=monitors()).validate(module, loaders(), verbose=False)
    for number, loader in enumerate(loaders()):
        trainer = quiet_trainer(callbacks=monitors())
        (alone,) = trainer.validate(module, loader, verbose=False)
        names = [name for name in alone if "agreement/" in name or "faithfulness" in name]
        assert len(names) >= 10
        for name in names:
            found = several[number][f"{name}/dataloader_idx_{number}"]
            assert found == pytest.approx(alone[name], abs=1e-5)
    one, other = (
        several[number][f"val_agreement/pairwise_rank_agreement/dataloader_idx_{number}"]
        for number in (0, 1)
    )
    assert one != other


def test_tables_name_the_loaders(capsys):
    module = pear()
    callbacks = [AgreementTable(), FaithfulnessMonitor(ColumnMasker(FEATURES), rows=8),
                 AgreementMonitor(explainers=[Gradient(), InputXGradient()], top_k=3)]  # fmt: skip
    trainer = quiet_trainer(max_epochs=1, callbacks=callbacks)
    validation = CombinedLoader(loaders(), "sequential")
    trainer.fit(module, DataLoader(table(32), batch_size=16), validation)
    trainer.test(module, loaders(), verbose=False)
    printed = " ".join(capsys.readouterr().out.split())  # titles are wrapped
    for number in (0, 1):
        assert f"Validation: PEAR, data loader {number}" in printed
        assert f"Test: PEAR, data loader {number}" in printed
    assert printed.count("diagonal: with itself") == 4  # of the module and of the monitor
    assert len(trainer.predict(module, loaders())) == 2
