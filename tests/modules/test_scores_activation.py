import copy
import warnings

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import make_classification
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.datamodules import BreastCancer, TabularDataModule
from pear_lightning.modules import ScoredModule, ScoresActivationModule
from pear_lightning.nn import (
    MLP,
    CancelOut,
    GatedBackbone,
    ScoresActivation,
    StochasticGates,
)
from tests.modules.helpers import quiet_trainer, weights
from tests.reference import scores_activation as reference


def rows(count=96, features=6, seed=0):
    """Standard normal rows whose class depends on the first two features, not linearly."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, features, generator=generator)
    return TensorDataset(x, (x[:, 0] + x[:, 1].abs() > 0.7).long())


def loader(count=96, batch_size=32, **kwargs):
    return DataLoader(rows(count, **kwargs), batch_size=batch_size)


def adam(params):
    return torch.optim.Adam(params, lr=5e-3)


def small(*args, **kwargs):
    return ScoresActivationModule(MLP(6, hidden_features=(16,)), *args, **kwargs)


def test_loss_is_the_task_loss_of_the_gated_inputs():
    model = small()
    nn.init.normal_(model.gate.s)
    x, y = rows(8).tensors
    parts = model.training_loss((x, y))
    wanted = F.cross_entropy(model.backbone.backbone(x * model.scores), y)
    assert set(parts) == {"loss", "task_loss"}
    torch.testing.assert_close(parts["loss"], wanted)
    parts["loss"].backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.gate.s.grad.any()


@pytest.mark.parametrize(
    "gate",
    [ScoresActivation(6, entropy_weight=0.1), CancelOut(6), StochasticGates(6)],
    ids=lambda gate: type(gate).__name__,
)
def test_penalty_of_the_gate_is_added(gate):
    parts = small(gate).training_loss(rows(8).tensors)
    torch.testing.assert_close(parts["penalty"], gate.penalty())
    torch.testing.assert_close(parts["loss"], parts["task_loss"] + parts["penalty"])


@pytest.mark.parametrize(
    ("gate", "kwargs"),
    [
        (ScoresActivation(6), {}),
        (ScoresActivation(6, rescale=1.0), {}),
        (ScoresActivation(6, instance_wise=True), {}),
        (CancelOut(6), {}),
        (StochasticGates(6), {"lr_multiplier": 2}),
        (ScoresActivation(6), {"place": "layers.0"}),
    ],
    ids=["literal", "rescaled", "instance", "cancel_out", "stochastic", "place"],
)
def test_training_finds_the_relevant_features(gate, kwargs):
    seed_everything(0)
    model = small(gate, optimizer=adam, **kwargs)
    trainer = quiet_trainer(max_epochs=25)
    trainer.fit(model, loader(384), loader(128, seed=1))
    assert set(model.scores.topk(2).indices.tolist()) == {0, 1}
    assert set(model.effective_scores().topk(2).indices.tolist()) == {0, 1}
    assert trainer.callback_metrics["val_accuracy"] > 0.8


def test_regression():
    x = torch.randn(128, 6)
    data = DataLoader(TensorDataset(x, x[:, 0] * x[:, 1]), batch_size=32)
    model = ScoresActivationModule(MLP(6, 1), task="regression", optimizer=adam)
    trainer = quiet_trainer(max_epochs=10)
    trainer.fit(model, data, data)
    results = trainer.test(model, data, verbose=False)[0]
    assert results["test_mse"] < 0.9 * (x[:, 0] * x[:, 1]).var()
    assert set(model.scores.topk(2).indices.tolist()) == {0, 1}
    prediction = trainer.predict(model, data)[0]["prediction"]
    torch.testing.assert_close(prediction, model(x[:32]).flatten().detach())


# --- rates ------------------------------------------------------------------------------------


def test_scores_have_a_rate_of_their_own_and_no_weight_decay():
    model = small(lr_multiplier=7)
    rest, scores = model.configure_optimizers().param_groups
    assert scores["params"] == [model.gate.s]
    assert len(rest["params"]) == len(list(model.parameters())) - 1
    assert (rest["lr"], rest["weight_decay"]) == (5e-4, 2e-4)  # those of the default optimiser
    assert (scores["lr"], scores["weight_decay"]) == (pytest.approx(3.5e-3), 0)


def test_schedulers_keep_the_ratio_of_the_rates():
    def schedule(optimizer):
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)

    model = small(lr_scheduler=schedule)
    configured = model.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    for _ in range(4):
        optimizer.step()
        scheduler.step()
        rest, scores = (group["lr"] for group in optimizer.param_groups)
        assert scores == pytest.approx(10 * rest)


def test_a_frozen_backbone_or_a_frozen_gate_can_be_optimised():
    model = ScoresActivationModule(nn.Flatten(), ScoresActivation(2))
    (scores,) = model.configure_optimizers().param_groups
    assert scores["lr"] == pytest.approx(5e-3)


# --- scores -----------------------------------------------------------------------------------


def test_effective_scores_are_those_of_the_next_layer():
    model = small()
    nn.init.normal_(model.gate.s)
    assert model.effective_scores() is None  # not known before training
    weight = model.backbone.backbone.layers[0].weight
    wanted = torch.tensor(reference.effective_scores(model.scores.tolist(), weight))
    torch.testing.assert_close(model.effective_scores(torch.randn(4, 6)), wanted)
    torch.testing.assert_close(model.effective_scores(), wanted)


class TwoReaders(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.left, self.right = nn.Linear(4, 2), nn.Linear(6, 4), nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.left(x) * self.right(x))


def test_layers_that_read_the_gate_together_count_together():
    model = ScoresActivationModule(TwoReaders(), ScoresActivation(6))
    together = torch.cat(
        [model.backbone.backbone.left.weight, model.backbone.backbone.right.weight]
    )
    torch.testing.assert_close(
        model.effective_scores(torch.randn(4, 6)), model.gate.effective_scores(together)
    )


@pytest.mark.parametrize(
    ("backbone", "gate", "shape", "known"),
    [
        (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 2)), ScoresActivation(6), (4, 6), False),
        (nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(45, 2)),
         ScoresActivation(3, axis=1), (4, 3, 5, 5), True),
        (nn.Sequential(nn.Linear(8, 2), nn.Flatten()), ScoresActivation(5, axis=1), (4, 5, 8),
         False),
    ],
    ids=["norm", "channels", "tokens"],
)  # fmt: skip
def test_effective_scores_are_there_where_a_layer_reads_the_gate(backbone, gate, shape, known):
    model = ScoresActivationModule(backbone, gate)
    effective = model.effective_scores(torch.randn(shape))
    assert (effective is not None) is known
    if known:
        assert effective.shape == (gate.n_features,)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(module.training for module in backbone.modules())


def test_scores_reach_the_loggers_once_an_epoch(tmp_path):
    class Kept(CSVLogger):
        rows = []  # noqa: RUF012

        def log_metrics(self, metrics, step=None):
            if any(name.startswith("score/") for name in metrics):
                self.rows.append((step, metrics))

    data = BreastCancer()
    model = ScoresActivationModule(MLP(30, hidden_features=(8,)))
    quiet_trainer(max_epochs=3, logger=Kept(tmp_path)).fit(model, data)
    assert [step for step, _ in Kept.rows] == [7, 14, 21]
    last = Kept.rows[-1][1]
    assert list(last) == [f"score/{name}" for name in data.feature_names]
    torch.testing.assert_close(torch.tensor(list(last.values())), model.scores)


def test_names_of_features(monkeypatch):
    model = small()
    numbered = [f"feature_{i}" for i in range(6)]
    assert model.feature_names() == numbered
    data = BreastCancer()
    within = ScoresActivationModule(MLP(30, hidden_features=(30, 8)), place="layers.2")
    quiet_trainer(max_epochs=0).fit(within, data)
    assert within.feature_names()[0] == "feature_0"  # hidden units, though there are 30 as well
    grouped = ScoresActivation(30, groups=[i // 3 for i in range(30)])
    model = ScoresActivationModule(MLP(30), grouped)
    names = [f"triple {i}" for i in range(10)]
    monkeypatch.setattr(BreastCancer, "group_names", names)
    quiet_trainer(max_epochs=0).fit(model, data)
    assert model.feature_names() == data.group_names


def test_predictions_come_with_the_scores():
    model = small()
    quiet_trainer(max_epochs=2).fit(model, loader())
    first, *_ = quiet_trainer().predict(model, loader(64))
    x = rows(64).tensors[0][:32]
    torch.testing.assert_close(first["logits"], model(x).detach())
    torch.testing.assert_close(first["prediction"], first["logits"].argmax(1))
    torch.testing.assert_close(first["scores"], model.scores.repeat(32, 1))


# --- precision, checkpoints, arguments --------------------------------------------------------


def test_bf16_trains_to_the_same_scores():
    scores = {}
    for precision in ("32-true", "bf16-mixed"):
        seed_everything(0)
        model = small(optimizer=adam)
        quiet_trainer(max_epochs=10, precision=precision).fit(model, loader(256))
        scores[precision] = model.scores
    assert scores["32-true"].max() > 0.3
    torch.testing.assert_close(*scores.values(), rtol=0, atol=0.02)


@pytest.mark.filterwarnings("ignore:Found keys that are in the model state dict")
@pytest.mark.parametrize(
    "gate", [None, StochasticGates(6), ScoresActivation(6, instance_wise=True)]
)
def test_checkpoint_reloads_under_weights_only(tmp_path, gate):
    model = small(copy.deepcopy(gate), lr_multiplier=3.0)
    trainer = quiet_trainer(max_epochs=1, enable_checkpointing=True, default_root_dir=tmp_path)
    trainer.fit(model, loader())
    trainer.save_checkpoint(tmp_path / "scores.ckpt")
    torch.load(tmp_path / "scores.ckpt", weights_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ScoresActivationModule.load_from_checkpoint(
            tmp_path / "scores.ckpt",
            backbone=MLP(6, hidden_features=(16,)),
            gate=copy.deepcopy(gate),
        )
    torch.testing.assert_close(again.scores, model.scores)
    torch.testing.assert_close(again.effective_scores(), model.effective_scores())
    assert again.lr_multiplier == 3.0
    x = torch.randn(4, 6)
    torch.testing.assert_close(again.eval()(x), model.eval()(x))
    with pytest.raises(TypeError, match="abstract"):
        ScoredModule.load_from_checkpoint(tmp_path / "scores.ckpt", backbone=MLP(6))


def test_resuming_gives_the_weights_of_the_uninterrupted_run(tmp_path):
    def run(epochs, **kwargs):
        seed_everything(0)
        model = small()
        trainer = quiet_trainer(max_epochs=epochs)
        trainer.fit(model, loader(), **kwargs)
        return model, trainer

    whole, _ = run(4)
    _, trainer = run(2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(4, ckpt_path=tmp_path / "half.ckpt")
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="lr_multiplier must be above 0, got 0"):
        small(lr_multiplier=0)
    with pytest.raises(ValueError, match="must have an attribute in_features, got Sequential"):
        ScoresActivationModule(nn.Sequential(nn.Linear(6, 2)))
    with pytest.raises(ValueError, match=r"place must be one of .* got 'body'"):
        ScoresActivationModule(MLP(6), ScoresActivation(6), place="body")
    with pytest.raises(ValueError, match="must have 5 features along axis -1, after"):
        small(ScoresActivation(5)).training_loss(rows(8).tensors)


def test_any_backbone_in_the_module():
    convolution = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
                                nn.Flatten(), nn.Linear(36, 2))  # fmt: skip
    images = DataLoader(TensorDataset(torch.randn(32, 3, 5, 5), torch.randint(2, (32,))), 16)
    model = ScoresActivationModule(convolution, ScoresActivation(3, axis=1))
    quiet_trainer(max_epochs=1).fit(model, images, images)
    assert model.scores.std() > 0


def test_the_module_exports():
    model = small().eval()
    x = torch.randn(4, 6)
    program = torch.export.export(GatedBackbone(model.gate, MLP(6)), (x,))
    assert program.module()(x).shape == (4, 2)
    exported = torch.export.export(model.backbone, (x,)).module()
    torch.testing.assert_close(exported(x), model(x))


def fit_scores(scaling):
    """Scores of 15 features of which the first five are relevant."""
    x, y = make_classification(
        800, 15, n_informative=5, n_redundant=0, shuffle=False, random_state=0
    )
    torch.manual_seed(0)
    data = TabularDataModule((x, y), **scaling, val_fraction=0.2, batch_size=32)
    module = ScoresActivationModule(MLP(15, hidden_features=(64, 32)))
    quiet_trainer(max_epochs=15).fit(module, data)
    order = module.scores.argsort(descending=True).tolist()
    return [order.index(feature) + 1 for feature in range(5)]


def test_rows_scaled_to_the_unit_interval_are_reported():
    with pytest.warns(UserWarning, match="inputs of a feature gate are not standardised"):
        ranks = fit_scores({"scaling": "minmax"})
    assert max(ranks) > 10


def test_default_scaling_of_tables_finds_the_relevant_features():
    assert max(fit_scores({})) <= 8
