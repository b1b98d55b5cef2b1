import copy
import random
import warnings

import pytest
import torch
from lightning.pytorch import Callback, seed_everything
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from pear_lightning.datamodules import BreastCancer, TabularDataModule
from pear_lightning.explainers import (
    ExpectedGradients,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
    RandomAttributions,
    SmoothGrad,
)
from pear_lightning.functional.quadrature import quadrature_rule
from pear_lightning.losses import ConsensusLoss
from pear_lightning.masking import TokenMasker
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.modules import PEAR, ExplainedModule
from pear_lightning.nn import MLP, TransformerTextClassifier
from pear_lightning.scoring import Batch
from tests.modules.helpers import loader, quiet_trainer, table, weights
from tests.reference.consensus import consensus_loss

PAIR = {"gradient": Gradient(), "average": IntegratedGradients(3, 0.5, multiply_by_inputs=False)}


def small(**kwargs):
    return PEAR(MLP(6, hidden_features=(12,)), **{"top_k": 3} | kwargs)


def test_loss_is_the_papers_formula():
    model = small(consensus_weight=0.3, spearman_weight=0.75, explainers=PAIR,
                  normalize="none", strength=0.2, output="logit")  # fmt: skip
    x, y = table(8).tensors
    with pytest.warns(UserWarning, match="output='logit', which changes when a function is added"):
        parts = model.training_loss((x, y))
    x.requires_grad_()
    score = model.backbone(x).gather(1, y[:, None]).sum()
    a = torch.autograd.grad(score, x, create_graph=True)[0]
    b = 0
    for t, w in zip(*quadrature_rule(3, "gauss_legendre"), strict=True):
        point = 0.5 + t * (x - 0.5)
        score = model.backbone(point).gather(1, y[:, None]).sum()
        b = b + w * torch.autograd.grad(score, point, create_graph=True)[0]
    task, consensus = F.cross_entropy(model.backbone(x), y), consensus_loss(a, b, 0.75, 0.2)
    torch.testing.assert_close(parts["task_loss"], task)
    torch.testing.assert_close(parts["consensus"], consensus)
    loss = 0.7 * task + 0.3 * consensus
    torch.testing.assert_close(parts["loss"], loss)
    wanted = torch.autograd.grad(loss, list(model.backbone.parameters()))
    actual = torch.autograd.grad(parts["loss"], list(model.backbone.parameters()))
    torch.testing.assert_close(actual, wanted)


def test_consensus_reaches_every_weight_but_the_output_bias():
    # with ReLU the gradient does not depend on the biases; with Softplus it does, but for the last
    model = small(consensus_weight=1.0, explainers=PAIR)
    model.backbone = MLP(6, hidden_features=(12,), activation="softplus")
    parts = model.training_loss(table(8).tensors)
    parts["consensus"].backward(retain_graph=True)
    gradients = [p.grad for p in model.backbone.parameters()]
    assert all(g is not None and g.any() for g in gradients[:-1])
    assert gradients[-1] is None or not gradients[-1].any()
    model.zero_grad()
    parts["loss"].backward()  # the task loss stays in the graph at weight 1, for DDP
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_weight_zero_is_plain_training():
    x, y = table(8).tensors
    model = small(consensus_weight=0.0)
    parts = model.training_loss((x, y))
    assert set(parts) == {"loss", "task_loss"}
    torch.testing.assert_close(parts["loss"], F.cross_entropy(model.backbone(x), y))


def test_training_raises_agreement_and_keeps_accuracy():
    agreement = {}
    for weight in (0.0, 0.75):
        seed_everything(0)
        model = PEAR(MLP(6, hidden_features=(24, 24)), weight, top_k=3, optimizer=fast_adam)
        trainer = quiet_trainer(max_epochs=40)
        trainer.fit(model, loader(256, 32), loader(128, 64, seed=1))
        agreement[weight] = trainer.callback_metrics["val_pairwise_rank_agreement"].item()
        assert trainer.callback_metrics["val_accuracy"] > 0.8
    assert agreement[0.75] > agreement[0.0] + 0.03


def fast_adam(params):
    return torch.optim.Adam(params, lr=5e-3)


def test_validation_logs_what_the_matrix_says():
    model = small(explainers=PAIR)
    trainer = quiet_trainer(max_epochs=1)
    data = loader(64)
    trainer.fit(model, data, data)
    logged = trainer.callback_metrics
    again = quiet_trainer().validate(model, data, verbose=False)[0]
    matrix = AgreementMatrix(list(PAIR), k=3)
    consensus = []
    for x, y in data:
        _, attributions, _ = model._explain(Batch(x, y), model.validation_explainers)
        matrix.update(attributions)
        consensus.append(model.consensus(*attributions.values()))
    for metric, values in matrix.compute().items():
        assert logged[f"val_{metric}"].item() == pytest.approx(values[0, 1].item())
        assert again[f"val_{metric}"] == pytest.approx(values[0, 1].item())
    assert logged["val_consensus"].item() == pytest.approx(torch.stack(consensus).mean().item())


def test_test_fills_the_whole_matrix():
    explainers = PAIR | {
        "smooth": SmoothGrad(4, 0.3),
        "shap": KernelShap(n_samples=64),
        "random": RandomAttributions(),
    }
    model = small(explainers=PAIR, test_explainers=explainers)
    results = quiet_trainer().test(model, loader(64), verbose=False)[0]
    assert model.trained_pairs() == [("gradient", "average")]
    assert len(model.untrained_pairs()) == 5
    matrix = model.test_agreement.compute()["pairwise_rank_agreement"]
    assert results["test_trained_pairwise_rank_agreement"] == pytest.approx(matrix[0, 1].item())
    untrained = [matrix[i, j].item() for i, j in ((0, 2), (0, 3), (1, 2), (1, 3), (2, 3))]
    mean = results["test_untrained_pairwise_rank_agreement"]
    assert mean == pytest.approx(sum(untrained) / 5)
    # 2^6 coalitions are enumerated by 64 samples: no noise. SmoothGrad's is on the diagonal.
    assert 0.5 < matrix[2, 2] < 1
    assert matrix[0, 0] == 1
    assert abs(matrix[4, 4] - 0.5) < 0.1
    second = quiet_trainer().test(model, loader(64), verbose=False)[0]  # starts from nothing
    assert second["test_accuracy"] == results["test_accuracy"]


def test_a_second_test_forgets_the_rows_of_the_first():
    model = small(explainers=PAIR, test_explainers=PAIR)
    once = quiet_trainer().test(model, loader(48, seed=1), verbose=False)[0]
    other = quiet_trainer().test(model, loader(96, seed=2), verbose=False)[0]
    again = quiet_trainer().test(model, loader(48, seed=1), verbose=False)[0]
    name = "test_trained_pairwise_rank_agreement"
    assert once[name] != other[name]
    assert again[name] == once[name]
    assert model.test_agreement._state("count") == 48


def test_rows_explained_in_a_test_can_be_bounded():
    seen = []
    model = small(explainers=PAIR, test_explainers=PAIR, test_rows=20)
    model.test_agreement.register_forward_pre_hook(lambda *_: None)
    update = model.test_agreement.update
    model.test_agreement.update = lambda attributions, **k: (
        seen.append(len(attributions["gradient"])), update(attributions, **k))  # fmt: skip
    quiet_trainer().test(model, loader(64, 16), verbose=False)
    assert seen == [16, 4]


@pytest.mark.parametrize("classes", [2, 4])
def test_any_number_of_classes(classes):
    model = small(explainers=PAIR, num_classes=classes, output="margin")
    model.backbone = MLP(6, classes, hidden_features=(12,))
    trainer = quiet_trainer()
    trainer.fit(model, loader(64, classes=classes), loader(32, classes=classes))
    assert trainer.callback_metrics["val_accuracy"] >= 0


@pytest.mark.parametrize("outputs", [(6, 1), (6,)])
def test_regression(outputs):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = MLP(6, 1, hidden_features=(12,))

        def forward(self, x):
            return self.body(x) if len(outputs) == 2 else self.body(x).squeeze(1)

    x = torch.rand(64, 6)
    data = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, x[:, 0] * x[:, 1]), batch_size=16
    )
    model = PEAR(Net(), task="regression", explainers=PAIR, top_k=3)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(model, data, data)
    results = trainer.test(model, data, verbose=False)[0]
    prediction = torch.cat([p["prediction"] for p in trainer.predict(model, data)])
    mse = F.mse_loss(prediction, x[:, 0] * x[:, 1]).item()
    assert results["test_mse"] == pytest.approx(mse, rel=1e-4)


def test_regression_refuses_several_outputs():
    model = PEAR(MLP(6, 2), task="regression", explainers=PAIR)
    with pytest.raises(ValueError, match=r"one output"):
        model.training_loss((torch.rand(4, 6), torch.rand(4)))


def test_predictions_come_with_their_explanations():
    model = small(explainers=PAIR)
    (first, *_) = quiet_trainer().predict(model, loader(16, 8))
    x = table(16).tensors[0][:8]
    torch.testing.assert_close(first["logits"], model.backbone(x).detach())
    torch.testing.assert_close(first["prediction"], first["logits"].argmax(1))
    wanted = model._explain(Batch(x, first["prediction"]), PAIR)[1]["average"]
    torch.testing.assert_close(first["attributions"]["average"], wanted.detach())


class WithDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = MLP(6, hidden_features=(12,), dropout=0.5)

    def forward(self, x):
        return self.body(x)


class WithBatchNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))

    def forward(self, x):
        return self.body(x)


class WithLateDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential()
        self.body.add_module("in", nn.Linear(6, 12))
        self.body.add_module("dropout", nn.Dropout(0.0))
        self.body.add_module("out", nn.Linear(12, 2))

    def forward(self, x):
        return self.body(x)


class OwnNoise(nn.Module):
    """A layer of one's own that differs in training, which no type tells."""

    def __init__(self):
        super().__init__()
        self.body = MLP(6, hidden_features=(12,))

    def forward(self, x):
        return self.body(x + 0.1 * torch.randn_like(x) if self.training else x)


@pytest.mark.parametrize(
    ("backbone", "reused"),
    [(MLP(6), True), (WithDropout(), False), (WithBatchNorm(), False), (OwnNoise(), False)],
)
def test_logits_are_reused_only_where_both_modes_are_one_function(backbone, reused):
    model = PEAR(backbone, explainers=PAIR)
    before = copy.deepcopy(backbone.state_dict())
    calls = []
    backbone.register_forward_hook(lambda m, *_: calls.append(m.training))
    x, y = table(16).tensors
    model.training_loss((x, y))
    calls.clear()
    model.training_loss((x, y))
    assert calls == ([False] if reused else [False, True])
    if not isinstance(backbone, WithBatchNorm):
        for name, value in backbone.state_dict().items():
            torch.testing.assert_close(value, before[name])


class LayerDrop(nn.Module):
    """Stochastic depth by batch: most batches do not show that the layer is there."""

    def __init__(self, draw):
        super().__init__()
        self.body, self.draw = MLP(6, hidden_features=(12,)), draw

    def forward(self, x):
        return self.body(0 * x if self.training and self.draw() < 1e-9 else x)


@pytest.mark.parametrize("draw", [lambda: torch.rand(()), random.random])
def test_a_layer_that_draws_in_training_only_is_a_layer_of_both_modes(draw):
    backbone, draws = LayerDrop(draw), []
    model = PEAR(backbone, explainers=PAIR)
    random.seed(3)
    state = torch.get_rng_state(), random.getstate()
    assert not model.same_in_both_modes(Batch(table(4).tensors[0]))
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]
    backbone.draw = lambda: draws.append(1) or 1.0
    model.training_loss(table(4).tensors)
    assert len(draws) == 1  # the forward of the task, in train mode


class RaisesDropout(Callback):
    """What a curriculum does: dropout begins after the first epoch."""

    def on_train_epoch_end(self, trainer, pl_module):
        pl_module.backbone.body.dropout.p = 0.5


def test_dropout_that_begins_later_is_seen():
    model = PEAR(WithLateDropout(), explainers=PAIR)
    calls = []
    model.backbone.register_forward_hook(lambda m, *_: calls.append(m.training))
    quiet_trainer(max_epochs=2, callbacks=[RaisesDropout()]).fit(model, loader(16, batch_size=4))
    # in train mode: the comparison of the first epoch, and every step of the second
    assert calls.count(True) == 1 + 4


def test_batch_norm_statistics_move_with_the_task_loss_only():
    backbone = WithBatchNorm()
    model = PEAR(backbone, explainers=PAIR)
    x, y = table(16).tensors
    for _ in range(3):
        model.training_loss((x, y))
    assert backbone.body[1].num_batches_tracked == 3
    alone = WithBatchNorm().train()
    alone.load_state_dict(WithBatchNorm().state_dict() | {})
    hidden = backbone.body[0](x)
    wanted = (1 - 0.9**3) * hidden.mean(0)
    torch.testing.assert_close(backbone.body[1].running_mean, wanted)


def test_a_warm_up_within_the_first_epoch_of_a_stream_is_warned_of():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(table(16))

    model = PEAR(MLP(6), 0.8, explainers=PAIR, warmup_epochs=1)
    with pytest.warns(UserWarning, match="WarmUp of ConsensusLoss depends on the fraction of the"):
        quiet_trainer(max_epochs=1).fit(model, DataLoader(Stream(), batch_size=8))


def test_warm_up_raises_the_weight_linearly():
    weights_seen = []

    class Watched(PEAR):
        def training_loss(self, batch):
            weights_seen.append(self.current_consensus_weight())
            return super().training_loss(batch)

    model = Watched(MLP(6), 0.8, explainers=PAIR, warmup_epochs=2)
    quiet_trainer(max_epochs=3).fit(model, loader(64, 16))
    wanted = [0.8 * min(1, step / 8) for step in range(12)]
    assert weights_seen == pytest.approx(wanted)


def test_baselines_come_from_the_training_data():
    x, y = table(96).tensors
    explainers = {
        "contributions": InputXGradient("mean"),
        "expected": ExpectedGradients(3),
    }
    model = small(explainers=explainers)
    before = torch.get_rng_state()
    trainer = quiet_trainer(max_epochs=0)
    trainer.fit(model, loader(96))
    torch.testing.assert_close(model.explainers["contributions"].baseline.value, x.mean(0))
    torch.testing.assert_close(model.explainers["expected"].background, x)
    assert torch.equal(torch.get_rng_state(), before)
    data = TabularDataModule((x.numpy(), y.numpy()), test_fraction=0.25, scaling="none")
    quiet_trainer(max_epochs=0).fit(model, data)  # another fit takes another mean
    value = model.explainers["contributions"].baseline.value
    torch.testing.assert_close(value, data.training_mean)
    assert not torch.allclose(value, x.mean(0))


@pytest.mark.slow
def test_bf16_trains_to_the_same_agreement():
    results = {}
    for precision in ("32-true", "bf16-mixed"):
        seed_everything(0)
        model = PEAR(MLP(6, hidden_features=(24, 24)), 0.5, top_k=3, optimizer=fast_adam)
        trainer = quiet_trainer(max_epochs=30, precision=precision)
        trainer.fit(model, loader(256, 32), loader(128, 64, seed=1))
        metrics = trainer.callback_metrics
        results[precision] = [metrics[f"val_{m}"].item() for m in
                              ("accuracy", "pairwise_rank_agreement")]  # fmt: skip
    assert results["bf16-mixed"] == pytest.approx(results["32-true"], abs=0.05)


@pytest.mark.parametrize("precision", ["16-true", "bf16-true"])
def test_half_precision_weights_are_refused(precision):
    with pytest.raises(ValueError, match="precision must be one of"):
        quiet_trainer(precision=precision).fit(small(explainers=PAIR), loader())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's compiler calls what torch deprecated
def test_compiled_step_equals_the_eager_one():
    x, y = table(16).tensors
    model = small(explainers=PAIR)
    twin = copy.deepcopy(model)
    twin.objective.compile_loss = True
    parts = {"eager": model.training_loss((x, y)), "compiled": twin.training_loss((x, y))}
    torch.testing.assert_close(parts["compiled"], parts["eager"])
    for loss in parts.values():
        loss["loss"].backward()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_checkpoint_holds_the_baseline_and_reloads_under_weights_only(tmp_path):
    model = PEAR(MLP(30, hidden_features=(12,)))
    trainer = quiet_trainer(max_epochs=1, enable_checkpointing=True, default_root_dir=tmp_path)
    data = BreastCancer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(model, data)
        path = tmp_path / "pear.ckpt"
        trainer.save_checkpoint(path)
    torch.load(path, weights_only=True)
    again = PEAR.load_from_checkpoint(path, backbone=MLP(30, hidden_features=(12,)))
    x = data.training_rows(8, seed=0)
    one, other = (
        m._explain(Batch(x, torch.zeros(8).long()), m.explainers)[1] for m in (model, again)
    )
    torch.testing.assert_close(one, other)
    assert again.hparams["consensus_weight"] == 0.5
    with pytest.raises(TypeError, match="abstract"):
        ExplainedModule.load_from_checkpoint(path, backbone=MLP(30, hidden_features=(12,)))


def test_resuming_gives_the_weights_of_the_uninterrupted_run(tmp_path):
    def run(epochs):
        seed_everything(0)
        model = small(warmup_epochs=1)
        trainer = quiet_trainer(max_epochs=epochs)
        trainer.fit(model, loader(96))
        return model, trainer

    whole, _ = run(4)
    _, trainer = run(2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    seed_everything(0)
    resumed = small(warmup_epochs=1)
    quiet_trainer(max_epochs=4).fit(resumed, loader(96), ckpt_path=tmp_path / "half.ckpt")
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"consensus_weight": 1.5}, "consensus_weight must lie in"),
        ({"consensus_weight": float("nan")}, "consensus_weight must lie in"),
        ({"spearman_weight": -0.1}, "spearman_weight must lie in"),
        ({"warmup_epochs": -1}, "warmup_epochs must be at least 0"),
        ({"test_rows": 0}, "test_rows must be at least 1"),
        ({"task": "ranking"}, "task must be"),
        ({"num_classes": 1}, "num_classes must be at least 2"),
        ({"explainers": {"gradient": Gradient()}}, "explainers must name two or more"),
        (
            {"explainers": {"a": Gradient(), "b": Lime()}},
            r"explainers\['b'\] must be differentiable, got Lime",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(**arguments)


def test_lists_of_explainers_are_named_after_their_classes():
    model = small(
        explainers=[Gradient(), KernelShap(8), KernelShap(16)],
        test_explainers=[Gradient(), Lime(8), RandomAttributions()],
    )
    assert list(model.explainers) == ["gradient", "kernel_shap", "kernel_shap_2"]
    assert list(model.validation_explainers) == list(model.explainers)
    assert list(model.test_explainers) == ["gradient", "lime", "random_attributions"]
    with pytest.raises(TypeError, match=r"explainers must be explainers by name, .* got Gradient"):
        small(explainers=Gradient())
    with pytest.raises(
        TypeError, match=r"explainers\[1\] must be an Explainer, got the class Lime"
    ):
        small(explainers=[Gradient(), Lime])
    with pytest.raises(ValueError, match=r"explainers must name two or more .* got \[\]"):
        small(explainers={})


def test_what_cannot_train_says_what_can():
    with pytest.raises(
        ValueError, match=r"got Lime, .*; use Lime\(\.\.\., penalty='ridge'\); valid"
    ):
        small(explainers=[Gradient(), Lime()])
    wanted = r"use gradient explainers, KernelShap, Occlusion or Lime\(penalty='ridge'\)"
    for build in (
        lambda pair: small(explainers=pair),
        lambda pair: ConsensusLoss().explain_with(pair),
    ):
        with pytest.raises(ValueError, match=f"got RandomAttributions, .*; {wanted}"):
            build({"gradient": Gradient(), "random": RandomAttributions()})
        build({"lime": Lime(8, penalty="ridge"), "shap": KernelShap(8)})


def test_things_that_are_not_explainers():
    with pytest.raises(TypeError, match=r"explainers\['b'\] must be an Explainer, got Linear"):
        small(explainers={"a": Gradient(), "b": nn.Linear(2, 2)})


def test_k_above_the_number_of_features_is_an_error():
    with pytest.raises(ValueError, match="k must be between 1 and the number of features"):
        quiet_trainer().validate(small(top_k=9, explainers=PAIR), loader(), verbose=False)


def test_nan_in_the_data_is_an_error():
    x, y = table(16).tensors
    x[3, 2] = float("nan")
    with pytest.raises(ValueError, match="inputs"):
        small(explainers=PAIR).training_loss((x, y))


def test_texts_trained_by_removing_tokens_are_tested_by_gradients():
    torch.manual_seed(0)
    masker = TokenMasker(4, pad_token_id=0)
    removing = {"occlusion": Occlusion(masker), "shap": KernelShap(8, masker=masker)}
    model = PEAR(
        TransformerTextClassifier(20, 2, max_tokens=6), explainers=removing,
        test_explainers={"product": InputXGradient(), **removing}, masker=masker,
    )  # fmt: skip
    batch = {"input_ids": torch.randint(5, 20, (4, 6)), "labels": torch.tensor([0, 1, 0, 1])}
    data = DataLoader([batch], batch_size=None)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, data, data)
    tested = trainer.test(model, data, verbose=False)[0]
    assert 0 < tested["test_untrained_pairwise_rank_agreement"] < 1


def test_a_repeated_explanation_is_of_the_same_inputs():
    """Of embeddings, if another explainer needs them; all subsets then agree with themselves."""
    torch.manual_seed(0)
    masker = TokenMasker(4, pad_token_id=0)
    shap = KernelShap(64, masker=masker)
    model = PEAR(
        TransformerTextClassifier(20, 2, max_tokens=6), explainers=fresh_pair(),
        test_explainers={"product": InputXGradient(), "shap": shap}, masker=masker,
    )  # fmt: skip
    batch = {"input_ids": torch.randint(5, 20, (8, 6)), "labels": torch.arange(8) % 2}
    quiet_trainer().test(model, DataLoader([batch], batch_size=None), verbose=False)
    for values in model.test_agreement.compute().values():
        assert values[1, 1] == pytest.approx(1, abs=1e-6)


def fresh_pair():
    return {"gradient": Gradient(), "product": InputXGradient()}


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
def test_classes_may_be_integers_of_any_size(dtype):
    inputs, target = torch.randn(16, 4), torch.arange(16) % 2
    model = PEAR(MLP(4), explainers=fresh_pair())
    data = DataLoader(TensorDataset(inputs, target.to(dtype)), batch_size=8)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, data, data)
    assert trainer.callback_metrics["val_loss"].isfinite()
    # four features, and a top k of five
    assert trainer.callback_metrics["val_feature_agreement"] == 1


def test_values_of_a_regression_may_be_a_column():
    inputs = torch.randn(16, 4)
    model = PEAR(MLP(4, 1), explainers=fresh_pair(), task="regression")
    data = DataLoader(TensorDataset(inputs, inputs.sum(dim=1, keepdim=True)), batch_size=8)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, data, data)
    assert trainer.callback_metrics["val_loss"].isfinite()
