"""What holds for every module that trains an explainer: the tests of the base, for all members."""

import copy
import pickle

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.explainers import AmortizedExplainer, KernelShap, explain
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker
from pear_lightning.modules import (
    L2X,
    CXPlain,
    DeepFaith,
    FastSHAP,
    LearnedOrder,
    RealX,
    StochasticAmortization,
)
from pear_lightning.nn import (
    MLP,
    ColumnTokens,
    ExplainerEnsemble,
    ExplainerMLP,
    ExplainerTransformer,
)
from pear_lightning.scoring import UniformSizeLaw
from tests.ddp import run_distributed
from tests.modules.helpers import WeightsOfSteps, quiet_trainer, weights

N = 6
WITH_SUPERVISION = {"stochastic amortisation"}
ALL_CLASSES = {"fastshap"}
SHARES = {"cxplain", "cxplain ensemble"}


def adam(params):
    return torch.optim.Adam(params, lr=3e-3)


def f(seed=1):
    torch.manual_seed(seed)
    return MLP(N, 2, hidden_features=(16,), activation="gelu", dropout=0.5)


def mlp(name, **kwargs):
    if name in ALL_CLASSES:
        kwargs |= {"num_classes": 2, "per_class": True}
    scale = "softmax" if name in SHARES else "unbounded"
    return ExplainerMLP(N, hidden_features=(16,), scale=scale, **kwargs)


def transformer(name):
    kwargs = {"num_classes": 2, "per_class": True} if name in ALL_CLASSES else {}
    scale = "softmax" if name in SHARES else "unbounded"
    return ExplainerTransformer(ColumnTokens(N, 8), 1, 2, scale=scale, **kwargs)


def given_class(name):
    scale = "softmax" if name in SHARES else "unbounded"
    return ExplainerMLP(N, hidden_features=(16,), num_classes=2, scale=scale)


MEMBERS = {
    "deepfaith": lambda target, network, **kwargs: DeepFaith(
        target, network, ColumnMasker(N), optimizer=adam, **kwargs
    ),
    "fastshap": lambda target, network, **kwargs: FastSHAP(
        target, network, ColumnMasker(N), n_subsets=8, optimizer=adam, **kwargs
    ),
    "stochastic amortisation": lambda target, network, **kwargs: StochasticAmortization(
        target, network, ColumnMasker(N), optimizer=adam, **kwargs
    ),
    "cxplain": lambda target, network, **kwargs: CXPlain(
        target, network, ColumnMasker(N), **{"explained": "predicted", "optimizer": adam} | kwargs
    ),
    "cxplain ensemble": lambda target, network, **kwargs: CXPlain(
        target,
        ExplainerEnsemble([network]),
        ColumnMasker(N),
        **{"explained": "predicted", "optimizer": adam} | kwargs,
    ),
    "l2x": lambda target, network, **kwargs: L2X(
        target, network, ColumnMasker(N), f(7), n_selected=2, optimizer=adam, **kwargs
    ),
    "learned order": lambda target, network, **kwargs: LearnedOrder(
        target, network, ColumnMasker(N), optimizer=adam, **kwargs
    ),
    "realx": lambda target, network, **kwargs: RealX(
        target, network, ColumnMasker(N), f(7), optimizer=adam, **kwargs
    ),
}
every_member = pytest.mark.parametrize("name", MEMBERS)


def build(name, target=None, network=None, **kwargs):
    torch.manual_seed(2)
    network = mlp(name) if network is None else network
    return MEMBERS[name](f() if target is None else target, network, **kwargs)


def rows(count=64, seed=0):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(seed))


def batch_for(name, inputs):
    if name in WITH_SUPERVISION:
        return {"inputs": inputs, "supervision": 2 * inputs}
    return inputs


def loader(name, inputs=None, batch_size=16):
    chunks = (rows() if inputs is None else inputs).split(batch_size)
    return DataLoader([batch_for(name, each) for each in chunks], batch_size=None)


def reloaded_parts(name):
    parts = {"network": mlp(name), "masker": ColumnMasker(N)}
    if name == "cxplain ensemble":
        parts["network"] = ExplainerEnsemble([parts["network"]])
    if name in ("l2x", "realx"):
        parts["predictor"] = f(7)
    return parts


@every_member
def test_the_explained_model_is_neither_trained_nor_saved_nor_changed(name, tmp_path):
    target = f()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    model = build(name, target)
    optimised = {id(p) for group in model.make_optimizer().param_groups for p in group["params"]}
    assert not optimised & {id(p) for p in target.parameters()}
    weights = [p.clone() for p in model.explainer.network.parameters()]
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model, loader(name), loader(name))
    assert any(
        (a != b).any() for a, b in zip(weights, model.explainer.network.parameters(), strict=True)
    )
    assert all(p.grad is None and p.requires_grad for p in target.parameters())
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())
    assert target.training
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    saved = torch.load(tmp_path / "model.ckpt", weights_only=True)
    own = {"backbone", "predictor"} if name == "l2x" else {"backbone"}
    assert {key.split(".")[0] for key in saved["state_dict"]} == own


@every_member
@pytest.mark.parametrize("network", [mlp, transformer, given_class])
def test_fits_validates_tests_predicts_and_reloads_without_the_model(name, network, tmp_path):
    if network is given_class and name in ALL_CLASSES:
        pytest.skip("all classes are explained")
    target = f()
    model = build(name, target, network(name))
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(name), loader(name))
    trainer.validate(model, loader(name), verbose=False)
    assert "test_loss" in trainer.test(model, loader(name), verbose=False)[0]
    predicted = trainer.predict(model, loader(name))  # in inference mode
    saliency = torch.cat([each["saliency"] for each in predicted])
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt")
    wanted = target.eval()(rows()).argmax(dim=1)
    _, (attributions,) = explain(target, rows(), wanted, [again])
    if name in ALL_CLASSES:
        saliency = saliency.gather(2, wanted[:, None, None].expand(-1, N, 1))[..., 0]
    torch.testing.assert_close(attributions, saliency, atol=1e-5, rtol=1e-4)
    alone = [
        explain(target, row[None], c[None], [again])[1][0]
        for row, c in zip(rows(), wanted, strict=True)
    ]
    torch.testing.assert_close(torch.cat(alone), attributions, atol=1e-5, rtol=1e-4)


@every_member
def test_side_inputs_zero_rule_and_fallback_are_those_of_the_base(name):
    target, side = f().eval(), ("gradient", "removals")
    model = build(name, target, mlp(name, side_channels=2), side=side, zero_rule=True)
    quiet_trainer(max_epochs=1).fit(model, loader(name))
    inputs = rows(8)
    inputs[:, 2] = 0
    wanted = target(inputs).argmax(dim=1)
    explainer = model.explainer.eval()
    _, (found,) = explain(target, inputs, wanted, [explainer])
    assert (found[:, 2] == 0).all()
    assert (found[:, 3] != 0).any()
    explainer.set_fallback(KernelShap(masker=ColumnMasker(N)), share=1.0)
    both = [explain(target, inputs, wanted, [each])[1][0] for each in (explainer, KernelShap())]
    torch.testing.assert_close(*both)
    with pytest.raises(ValueError, match="forward must be the explained model"):
        explainer.attributions((inputs, wanted))


@every_member
def test_hidden_features_of_the_model_are_a_side_input(name, tmp_path):
    target = f().eval()
    layer, width = next(
        (layer, each.out_features)
        for layer, each in target.named_modules()
        if isinstance(each, nn.Linear)
    )
    side = [f"hidden:{layer}"]
    model = build(name, target, mlp(name, side_channels=width), side=side)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(name))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt")
    wanted = target(rows(8)).argmax(dim=1)
    explained = [
        explain(target, rows(8), wanted, [each])[1][0] for each in (model.explainer, again)
    ]
    torch.testing.assert_close(*explained)
    blind = build(name, target, mlp(name, side_channels=1), side=side)
    with pytest.raises(ValueError, match=f"side_channels=1, got \\(8, {N}, {width}\\)"):
        explain(target, rows(8), wanted, [blind.explainer])


@every_member
def test_the_module_reloads_without_the_model(name, tmp_path):
    model = build(name)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(name))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    again = type(model).load_from_checkpoint(
        tmp_path / "model.ckpt", target_model=None, **reloaded_parts(name)
    )
    torch.testing.assert_close(
        again.explainer.attributions((rows(), torch.zeros(64).long())),
        model.explainer.attributions((rows(), torch.zeros(64).long())),
    )
    if name not in WITH_SUPERVISION:
        with pytest.raises(ValueError, match="target_model must be given"):
            again.training_loss(again.batch_of(rows()))


@every_member
def test_parts_that_a_checkpoint_cannot_hold_are_named(name, tmp_path):
    model, path = build(name), tmp_path / "model.ckpt"
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(name))
    trainer.save_checkpoint(path)
    parts = reloaded_parts(name)
    kind, listed = type(model), ", ".join(["target_model (or None)", *parts])
    with pytest.raises(TypeError) as caught:
        kind.load_from_checkpoint(path)
    assert str(caught.value).startswith(
        f"{listed} must be given to {kind.__name__}.load_from_checkpoint, because a checkpoint "
        "holds no objects, got none; to explain only, use AmortizedExplainer.load_from_checkpoint"
    )
    masker = parts.pop("masker")
    with pytest.raises(TypeError, match=r"^masker must be given to .*, got target_model, network"):
        kind.load_from_checkpoint(path, target_model=None, **parts)
    with pytest.raises(TypeError, match=r"network must be a torch\.nn\.Module, got None"):
        kind.load_from_checkpoint(
            path, target_model=None, **parts | {"network": None}, masker=masker
        )
    with pytest.raises(TypeError, match="cannot be called on an instance"):
        model.load_from_checkpoint(path, target_model=None, masker=masker, **parts)


@every_member
def test_modules_and_their_explainers_can_be_pickled_and_copied(name):
    model = build(name).eval()
    batch = (rows(8), torch.zeros(8).long())
    expected = model.explainer.attributions(batch)
    for twin in (copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))):
        torch.testing.assert_close(twin(model).explainer.attributions(batch), expected)
        torch.testing.assert_close(twin(model.explainer).attributions(batch), expected)


@every_member
def test_weights_can_be_averaged(name):
    model, averaging = build(name), EMAWeightAveraging(decay=0.5)
    steps = WeightsOfSteps()
    trainer = quiet_trainer(max_epochs=2, callbacks=[averaging, steps])
    trainer.fit(model, loader(name), loader(name))
    for found, expected in zip(weights(model), steps.averaged(0.5), strict=True):
        torch.testing.assert_close(found, expected)


@every_member
def test_a_network_of_the_user_is_trained_and_passed_again(name, tmp_path):
    def own():
        layers = [nn.Linear(N, 2 * N if name in ALL_CLASSES else N)]
        layers += [nn.Unflatten(1, (N, 2))] if name in ALL_CLASSES else []
        layers += [nn.Softmax(dim=1)] if name in SHARES else []
        return nn.Sequential(*layers)

    if name == "cxplain ensemble":
        pytest.skip("the ensemble passes arguments that a sequence does not take")
    model = build(name, network=own())
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(name))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match="network must be given"):
        AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt")
    again = AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt", network=own())
    batch = (rows(), torch.zeros(64).long())
    torch.testing.assert_close(again.attributions(batch), model.explainer.attributions(batch))


@every_member
def test_a_model_without_gradients_is_explained(name):
    def target(inputs):  # a step function of any library
        positive = (inputs[:, 0] > 0).float()
        return torch.stack([1 - positive, positive], dim=1).detach()

    model = build(name, target)
    trainer = quiet_trainer(max_epochs=1)
    if name == "learned order":
        with pytest.raises(ValueError, match="target_model must be differentiable"):
            trainer.fit(model, loader(name))
        return
    trainer.fit(model, loader(name))
    assert trainer.callback_metrics["train_loss"].isfinite()


@pytest.mark.parametrize("label", [-1, 2])
@pytest.mark.parametrize("network", [mlp, given_class])
@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "l2x"])
def test_labels_that_are_no_classes_are_named(name, network, label):
    if network is mlp and name in ALL_CLASSES | WITH_SUPERVISION:
        pytest.skip("the class is not needed")
    model = build(name, network=network(name), explained="true")
    inputs = rows(4)
    batch = {"inputs": inputs, "supervision": inputs, "target": torch.tensor([0, 1, label, 1])}
    wrong = r"target must lie in 0\.\.1, the (network|target_model|predictor)'s classes, got values"
    for loss in (model.training_loss, model.evaluation_loss):
        with pytest.raises(ValueError, match=wrong):
            loss(model.batch_of(batch))
    if network is given_class:
        with pytest.raises(ValueError, match=r"target must lie in 0\.\.1, the network's classes"):
            model.explainer.attributions((inputs, batch["target"]))


ONE_OUTPUT = {
    "deepfaith": "terms must have output='logit' .*, got 'prob'; give LocalCorrelationLoss",
    "fastshap": "use output='logit'",
    "cxplain": "target_model must have at least 2 outputs, one for each class, got 1",
    "cxplain ensemble": "target_model must have at least 2 outputs, one for each class, got 1",
    "l2x": "predictor must have the 1 outputs of the target_model, got 2",
    "learned order": "use output='logit'",
    "realx": "target_model must have at least 2 outputs, one for each class, got 1",
}
FOR_ONE_OUTPUT = {
    "deepfaith": {
        "local_correlation": LocalCorrelationLoss(
            [CorrelationTerm(UniformSizeLaw(), output="logit")]
        )
    },
    "fastshap": {"output": "logit"},
    "learned order": {"output": "logit"},
}


@pytest.mark.parametrize("name", ONE_OUTPUT)
def test_a_model_with_one_output_is_refused_with_advice_that_helps(name):
    target = MLP(N, 1, hidden_features=(16,))
    network = ExplainerMLP(N, num_classes=1, per_class=True) if name == "fastshap" else None
    model = build(name, target, network)
    with pytest.raises(ValueError, match=ONE_OUTPUT[name]):
        model.training_loss(model.batch_of(rows(8)))
    if name in FOR_ONE_OUTPUT:
        model = build(name, target, network, **FOR_ONE_OUTPUT[name])
        model.training_loss(model.batch_of(rows(8)))["loss"].backward()
        assert any(p.grad.any() for p in model.explainer.network.parameters())


@every_member
def test_a_resumed_run_ends_with_the_weights_of_the_whole_run(name, tmp_path):
    def deterministic():
        model = build(name)
        if name == "l2x":  # dropout of the predictor draws from the global generator
            model.predictor = MLP(N, 2, hidden_features=(16,))
            torch.manual_seed(4)
            for p in model.predictor.parameters():
                nn.init.normal_(p, std=0.3)
        return model

    whole, first, second = (deterministic() for _ in range(3))
    quiet_trainer(max_epochs=4).fit(whole, loader(name))
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(first, loader(name))
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    quiet_trainer(max_epochs=4).fit(second, loader(name), ckpt_path=tmp_path / "half.ckpt")
    for a, b in zip(second.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert any((a != b).any() for a, b in zip(first.parameters(), whole.parameters(), strict=True))


@every_member
def test_training_steps_differ_and_evaluations_do_not(name):
    if name in WITH_SUPERVISION or name.startswith("cxplain"):
        pytest.skip("there is nothing random in a step")
    model = build(name)
    read = model.batch_of(batch_for(name, rows(16)))
    model.eval()
    assert model.evaluation_loss(read)["loss"] == model.evaluation_loss(read)["loss"]
    seeds = iter(range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "step_seed", property(lambda self: next(seeds)))
        losses = [model.training_loss(read)["loss"] for _ in range(2)]
    assert losses[0] != losses[1]


@every_member
def test_half_precision_trains_the_network_and_evaluates_the_model_in_its_own(name):
    seen, plain = [], f().eval()

    def target(inputs):
        logits = plain(inputs)
        seen.append(logits.dtype)
        return logits

    model = build(name, target, transformer(name))
    trainer = quiet_trainer(max_epochs=2, precision="bf16-mixed")
    trainer.fit(model, loader(name), loader(name))
    assert set(seen) <= {torch.float32}
    assert trainer.callback_metrics["train_loss"].isfinite()
    assert trainer.callback_metrics["train_loss"].dtype == torch.float32


@every_member
def test_the_loss_of_given_scores_does_not_depend_on_autocast(name):
    """Only the networks that are trained run in half precision."""

    class Scores(nn.Module):
        scale = "softmax" if name in SHARES else "unbounded"

        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(()))

        def forward(self, inputs):
            scores = self.factor * inputs.abs()
            return scores[..., None].expand(-1, -1, 2) if name in ALL_CLASSES else scores

    class WithoutProducts(nn.Module):
        def forward(self, inputs):
            return torch.stack([inputs.sum(dim=1), inputs.square().sum(dim=1)], dim=1)

    model = build(name, network=Scores()).eval()
    if name == "l2x":
        model.predictor = WithoutProducts()
    read = model.batch_of(batch_for(name, rows(8)))
    for loss in (model.training_loss, model.evaluation_loss):
        wanted = loss(read)
        with torch.autocast("cpu", torch.bfloat16):
            found = loss(read)
        assert {key: each.item() for key, each in found.items()} == {
            key: each.item() for key, each in wanted.items()
        }


@every_member
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_raise(name, value):
    """A choice of the highest scores, and a row without variance, would hide them."""

    class Scores(nn.Module):
        scale = "softmax" if name in SHARES else "unbounded"

        def forward(self, inputs):
            scores = inputs.abs()
            scores[0, 0] = value
            return scores[..., None].expand(-1, -1, 2) if name in ALL_CLASSES else scores

    model = build(name, network=Scores())
    read = model.batch_of(batch_for(name, rows(8)))
    for loss in (model.training_loss, model.evaluation_loss):
        with pytest.raises(ValueError, match="saliency must be finite, got"):
            loss(read)
    with pytest.raises(ValueError, match="saliency must be finite, got"):
        model.predict_step(batch_for(name, rows(8)), 0)


def gradients_of_rank(rank, world_size):
    """Gradients of two steps of every member through DistributedDataParallel."""

    class Step(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.model = build(name).eval()  # without dropout of a predictor
            self.name = name

        def forward(self, inputs):
            batch = self.model.batch_of(batch_for(self.name, inputs))
            return self.model.training_loss(batch)["loss"]

    found = {}
    for name in MEMBERS:
        step = Step(name)
        if world_size > 1:
            step = nn.parallel.DistributedDataParallel(step)
        for _ in range(2):  # an unsynchronised first step shows in the second
            step.zero_grad()
            step(rows(16)[rank::world_size]).backward()
        found[name] = [p.grad for p in step.parameters()]
    return found


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one_process():
    alone = gradients_of_rank(0, 1)
    for of_rank in run_distributed(gradients_of_rank):
        for name in MEMBERS:
            torch.testing.assert_close(of_rank[name], alone[name], rtol=1e-4, atol=1e-6, msg=name)
