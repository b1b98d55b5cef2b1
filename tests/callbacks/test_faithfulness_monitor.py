import pytest
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.callbacks import FaithfulnessMonitor
from pear_lightning.explainers import (
    Explainer,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    SmoothGrad,
    explain,
)
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite
from pear_lightning.scoring import Batch
from tests.modules.helpers import quiet_trainer

EXPLAINERS = {"input_x_gradient": InputXGradient(), "gradient": Gradient()}


class Foreign(LightningModule):
    """Somebody else's module: it knows nothing of explanations."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.net(inputs)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pass

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pass

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader(rows: int = 20, seed: int = 1) -> DataLoader:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 5, generator=generator)
    return DataLoader(TensorDataset(inputs, inputs[:, :3].argmax(dim=1)), batch_size=8)


def test_logs_what_the_suite_says_of_the_first_rows() -> None:
    module = Foreign()
    monitor = FaithfulnessMonitor(ColumnMasker(5), EXPLAINERS, rows=12)
    trainer = quiet_trainer(callbacks=[monitor])
    trainer.validate(module, loader(), verbose=False)
    inputs, target = (each[:12] for each in loader().dataset.tensors)
    _, attributions = explain(module, inputs, target, EXPLAINERS, output="prob")
    suite = FaithfulnessSuite(ColumnMasker(5), list(EXPLAINERS), n_steps=20, n_subsets=50)
    suite.update(module, inputs, attributions, target)
    expected = suite.compute()
    logged = trainer.callback_metrics
    assert len(expected) == 20
    for name, value in expected.items():
        torch.testing.assert_close(logged[f"val_{name}"], value)


def test_a_validation_forgets_the_rows_of_the_last() -> None:
    module, monitor = Foreign(), FaithfulnessMonitor(ColumnMasker(5), EXPLAINERS)
    trainer = quiet_trainer(callbacks=[monitor])
    logged = []
    for seed in (1, 2, 1):
        trainer.validate(module, loader(seed=seed), verbose=False)
        logged.append({name: value.item() for name, value in trainer.callback_metrics.items()})
    assert logged[0] != logged[1]
    assert logged[2] == logged[0]


@pytest.mark.parametrize("explainer", [IntegratedGradients(), SmoothGrad(2)])
def test_a_fit_logs_in_every_nth_epoch_and_leaves_the_training_alone(explainer: Explainer) -> None:
    weights = []
    explainers = {"integrated_gradients": explainer}
    monitor = FaithfulnessMonitor(ColumnMasker(5), explainers, rows=4, every_n_epochs=2)
    for callbacks in ([], [monitor]):
        module = Foreign()
        torch.manual_seed(3)
        trainer = quiet_trainer(max_epochs=2, callbacks=callbacks)
        trainer.fit(module, loader(), loader())
        weights.append(module.net[0].weight)
        names = [name for name in trainer.callback_metrics if "integrated_gradients" in name]
        assert len(names) == (10 if callbacks else 0)
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_a_list_of_explainers_a_submodule_and_batches_of_another_form() -> None:
    monitor = FaithfulnessMonitor(
        ColumnMasker(5),
        [InputXGradient(), InputXGradient()],
        metrics=["deletion"],
        model="net",
        batch_to_inputs=lambda batch: batch["x"],
    )
    trainer = quiet_trainer(callbacks=[monitor])
    data = DataLoader([{"x": loader().dataset.tensors}], batch_size=None)
    trainer.validate(Foreign(), data, verbose=False)
    found = trainer.callback_metrics
    assert set(found) == {f"val_input_x_gradient{n}/deletion" for n in ("", "_2")}
    inputs, target = loader().dataset.tensors
    net = Foreign().net
    _, (expected,) = explain(net, inputs, target, [InputXGradient()], output="prob")
    suite = FaithfulnessSuite(ColumnMasker(5), n_steps=20, n_subsets=50)
    suite.update(net, inputs, expected, target)
    torch.testing.assert_close(found["val_input_x_gradient/deletion"], suite.compute()["deletion"])


def test_a_skipped_epoch_logs_nothing() -> None:
    monitor = FaithfulnessMonitor(ColumnMasker(5), rows=4, every_n_epochs=2)
    trainer = quiet_trainer(max_epochs=1, callbacks=[monitor])
    trainer.fit(Foreign(), loader(), loader())
    assert not [name for name in trainer.callback_metrics if "integrated_gradients" in name]


def test_chosen_metrics_alone_are_logged() -> None:
    monitor = FaithfulnessMonitor(ColumnMasker(5), metrics=["deletion"])
    trainer = quiet_trainer(callbacks=[monitor])
    trainer.test(Foreign(), loader(), verbose=False)
    assert set(trainer.callback_metrics) == {"test_integrated_gradients/deletion"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "rows must be at least 1"),
        ({"every_n_epochs": 0}, "every_n_epochs must be at least 1"),
        ({"explainers": {}}, "explainers must hold at least one"),
        ({"metrics": ["accuracy"]}, r"metrics must be .*, got \['accuracy'\]"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaithfulnessMonitor(ColumnMasker(5), **arguments)


@pytest.mark.parametrize("labels", [True, False])
def test_a_network_with_one_output_needs_no_labels(labels: bool) -> None:
    module = Foreign()
    module.net = nn.Linear(5, 1)
    inputs = torch.randn(8, 5)
    rows = TensorDataset(inputs, torch.arange(8) % 2) if labels else TensorDataset(inputs)
    monitor = FaithfulnessMonitor(ColumnMasker(5), output="logit", metrics=["infidelity"])
    trainer = quiet_trainer(callbacks=[monitor])
    trainer.validate(module, DataLoader(rows, batch_size=4), verbose=False)
    (value,) = trainer.callback_metrics.values()
    assert value.isfinite()


def test_copies_are_divided_into_passes() -> None:
    module, sizes = Foreign(), []
    module.net.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    shap = KernelShap(3000, masker=ColumnMasker(5, baseline="gaussian"), exhaustive=False)
    monitor = FaithfulnessMonitor(ColumnMasker(5), {"shap": shap}, metrics=["infidelity"])
    trainer = quiet_trainer(callbacks=[monitor])
    trainer.validate(module, loader(60), verbose=False)
    assert max(sizes) <= 2048


def test_a_batch_without_target_is_refused() -> None:
    inputs = DataLoader(TensorDataset(torch.randn(4, 5)))
    trainer = quiet_trainer(callbacks=[FaithfulnessMonitor(ColumnMasker(5))])
    with pytest.raises(TypeError, match=r"inputs .* and target"):
        trainer.validate(Foreign(), inputs, verbose=False)


def test_a_network_with_one_output_and_a_function_of_it():
    class OneLogit(Foreign):
        def forward(self, inputs):
            return super().forward(inputs)[:, 0]

    data = DataLoader(TensorDataset(torch.rand(8, 5)), batch_size=8)
    values = []
    for output in ("logit", lambda logits, target: logits[:, 0].sigmoid()):
        monitor = FaithfulnessMonitor(
            ColumnMasker(5),
            metrics=["deletion"],
            output=output,
            batch_to_inputs=lambda batch: Batch(batch[0]),
        )
        trainer = quiet_trainer(callbacks=[monitor])
        (logged,) = trainer.validate(OneLogit(), data, verbose=False)
        values += logged.values()
    assert len(values) == 2
    assert 0 < values[1] < 1
    assert values[0] != values[1]
