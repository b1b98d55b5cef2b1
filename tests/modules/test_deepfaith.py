"""DeepFaith and the base of all modules that train an explainer."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from pear_lightning.datamodules import BreastCancer
from pear_lightning.explainers import (
    AmortizedExplainer,
    Gradient,
    KernelShap,
    RandomAttributions,
    explain,
)
from pear_lightning.losses import (
    CorrelationTerm,
    LocalCorrelationLoss,
    PatternConsistencyLoss,
)
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import AgreementMatrix, rank_explainers
from pear_lightning.modules import DeepFaith
from pear_lightning.nn import (
    MLP,
    ColumnTokens,
    ExplainerMLP,
    ExplainerTransformer,
    SklearnClassifier,
)
from pear_lightning.scoring import BernoulliLaw, PrefixLaw, SingleRemovalLaw
from tests.ddp import run_distributed
from tests.modules.helpers import quiet_trainer

N = 6


def adam(params):
    return torch.optim.Adam(params, lr=3e-3)


def f(classes=2):
    torch.manual_seed(1)
    return MLP(N, classes, hidden_features=(16,), activation="gelu", dropout=0.5)


def rows(count=64, seed=0):
    return torch.randn(count, N, generator=torch.Generator().manual_seed(seed))


def supervised(count=64):
    inputs = rows(count)
    return [{"inputs": i, "supervision": s} for i, s in zip(inputs, 2 * inputs, strict=True)]


def loader(data=None, batch_size=16, **kwargs):
    return DataLoader(rows() if data is None else data, batch_size=batch_size, **kwargs)


def build(target=None, network=None, alpha=0.0, **kwargs):
    torch.manual_seed(2)
    network = ExplainerMLP(N, hidden_features=(16,)) if network is None else network
    return DeepFaith(
        f() if target is None else target,
        network,
        ColumnMasker(N),
        alpha,
        **{"optimizer": adam} | kwargs,
    )


def test_objective_is_the_weighted_sum_of_both_losses():
    model = build(alpha=0.3)
    read = model.batch_of({"inputs": rows(8), "supervision": rows(8, 1)})
    parts = model.training_loss(read)
    saliency = model.explainer.saliency(read.batch)
    removals = model.local_correlation.evaluate(model.target_model, read.batch, ColumnMasker(N))
    local = model.local_correlation(saliency, removals, removals.original.argmax(dim=1))
    pattern = model.pattern_consistency(saliency, read.supervision)
    torch.testing.assert_close(parts["local_correlation_loss"], local)
    torch.testing.assert_close(parts["pattern_consistency_loss"], pattern)
    torch.testing.assert_close(parts["loss"], 0.3 * pattern + 0.7 * local)


def test_the_explained_model_is_neither_trained_nor_saved_nor_changed(tmp_path):
    target = f()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    model = build(target)
    optimised = {id(p) for group in model.make_optimizer().param_groups for p in group["params"]}
    assert not optimised & {id(p) for p in target.parameters()}
    trainer = quiet_trainer()
    weights = [p.clone() for p in model.explainer.network.parameters()]
    trainer.fit(model, loader(), loader())
    assert any(
        (a != b).any() for a, b in zip(weights, model.explainer.network.parameters(), strict=True)
    )
    assert all(p.grad is None for p in target.parameters())
    assert all(p.requires_grad for p in target.parameters())
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())
    assert target.training
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    saved = torch.load(tmp_path / "model.ckpt", weights_only=True)
    assert all(name.startswith("backbone.") for name in saved["state_dict"])
    sizes = {value.numel() for value in saved["state_dict"].values()}
    assert 16 * N in sizes  # of the explainer
    assert sum(v.numel() for v in saved["state_dict"].values()) == 1 + sum(
        p.numel() for p in model.explainer.network.parameters()
    )  # and the baseline


def test_training_needs_no_supervision_and_finds_the_contributions():
    weights = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, -1.0])

    def model_of(inputs):  # any callable
        return torch.stack([torch.zeros(len(inputs)), inputs @ weights], dim=1)

    loss = LocalCorrelationLoss(
        [
            CorrelationTerm(BernoulliLaw(), output="centered_logit"),
            CorrelationTerm(SingleRemovalLaw(), output="centered_logit", centered=False),
        ]
    )
    model = build(
        model_of, ExplainerMLP(N, num_classes=2, hidden_features=(32,)), local_correlation=loss
    )
    trainer = quiet_trainer(max_epochs=25)
    trainer.fit(model, loader(rows(512), 32))
    inputs = rows(50, seed=5)
    sign = 2 * model_of(inputs).argmax(dim=1) - 1
    truth = sign[:, None] * inputs * weights
    found = torch.cat([each["saliency"] for each in trainer.predict(model, loader(inputs))])
    assert torch.cosine_similarity(found, truth).mean() > 0.97


def test_a_model_without_gradients_is_explained():
    ensemble = pytest.importorskip("sklearn.ensemble")
    data = BreastCancer(scaling="standard", batch_size=64)
    data.setup("fit")
    trees = ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0)
    target = SklearnClassifier(trees)
    torch.manual_seed(0)
    model = DeepFaith(target, ExplainerMLP(30), ColumnMasker(30), optimizer=adam)
    trainer = quiet_trainer(max_epochs=3)
    assert not target.is_fitted
    trainer.fit(model, data)  # fits the trees to the training split
    assert target.is_fitted
    x, y = data.train_dataloader().dataset.inputs, data.train_dataloader().dataset.target
    assert (target(x).argmax(dim=1) == y).float().mean() > 0.95
    assert trainer.callback_metrics["train_local_correlation_loss"] < 0.45
    assert trainer.predict(model, data)[0]["saliency"].shape[1] == 30


NETWORKS = {
    "mlp": lambda: ExplainerMLP(N, hidden_features=(8,), dropout=0.5),
    "transformer": lambda: ExplainerTransformer(ColumnTokens(N, 8), 1, 2, dropout=0.5),
    "given class": lambda: ExplainerMLP(N, hidden_features=(8,), num_classes=2),
    "all classes": lambda: ExplainerTransformer(
        ColumnTokens(N, 8), 1, 2, num_classes=2, per_class=True
    ),
    "side inputs": lambda: ExplainerTransformer(ColumnTokens(N, 8), 1, 2, side_channels=2),
}


def settings(name):
    if name == "all classes":
        return {"explained": "all"}
    return {"side": ("gradient", "removals")} if name == "side inputs" else {}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_fits_validates_tests_predicts_and_reloads(name, tmp_path):
    target = f()
    model = build(target, NETWORKS[name](), **settings(name))
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader(), loader())
    trainer.validate(model, loader(), verbose=False)
    assert 0 < trainer.test(model, loader(), verbose=False)[0]["test_loss"] < 1
    predicted = trainer.predict(model, loader())  # in inference mode
    saliency = torch.cat([each["saliency"] for each in predicted])
    assert saliency.shape == ((64, N, 2) if name == "all classes" else (64, N))
    trainer.save_checkpoint(tmp_path / "model.ckpt")

    again = AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt")
    wanted = target.eval()(rows()).argmax(dim=1)
    _, (attributions,) = explain(target, rows(), wanted, [again])
    if name == "all classes":
        saliency = saliency.gather(2, wanted[:, None, None].expand(-1, N, 1))[..., 0]
    torch.testing.assert_close(attributions, saliency, atol=1e-5, rtol=1e-4)
    # one sample at a time
    alone = [explain(target, row[None], c[None], [again])[1][0]
             for row, c in zip(rows(), wanted, strict=True)]  # fmt: skip
    torch.testing.assert_close(torch.cat(alone), attributions, atol=1e-5, rtol=1e-4)

    module = DeepFaith.load_from_checkpoint(
        tmp_path / "model.ckpt", target_model=target, network=NETWORKS[name](),
        masker=ColumnMasker(N),
    )  # fmt: skip
    same = torch.cat([each["saliency"] for each in trainer.predict(module, loader())])
    torch.testing.assert_close(
        same, torch.cat([each["saliency"] for each in predicted]), atol=1e-5, rtol=1e-4
    )


def test_predictions_need_no_model_unless_the_network_does():
    inputs = rows()
    alone = DeepFaith(None, ExplainerMLP(N), ColumnMasker(N))
    assert quiet_trainer().predict(alone, loader(inputs))[0]["saliency"].shape == (16, N)
    with pytest.raises(ValueError, match="target_model must be given"):
        quiet_trainer().fit(alone, loader())
    of_class = DeepFaith(None, ExplainerMLP(N, num_classes=2), ColumnMasker(N), explained="true")
    labelled = DataLoader([(inputs, torch.ones(64).long())], batch_size=None)
    assert quiet_trainer().predict(of_class, labelled)[0]["target"].tolist() == [1] * 64


def test_explainer_takes_part_in_comparisons():
    target = f().eval()
    explainers = {
        "learned": build(target).explainer,
        "gradient": Gradient(),
        "random": RandomAttributions(),
    }
    ranking = rank_explainers(
        target, [rows(20)], explainers, ColumnMasker(N), progress=False, n_resamples=10
    )
    assert set(ranking.explainers) == set(explainers)
    _, found = explain(target, rows(20), 0, explainers)
    matrix = AgreementMatrix(list(explainers), k=2)
    matrix.update(found)
    assert matrix.compute()["rank_correlation"].isfinite().all()


def test_a_network_of_the_user_is_passed_again(tmp_path):
    network = nn.Linear(N, N)
    model = build(network=network)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader())
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    with pytest.raises(ValueError, match="network must be given"):
        AmortizedExplainer.load_from_checkpoint(tmp_path / "model.ckpt")
    again = AmortizedExplainer.load_from_checkpoint(
        tmp_path / "model.ckpt", network=nn.Linear(N, N)
    )
    torch.testing.assert_close(again.attributions(rows()), model.explainer.attributions(rows()))


def test_zero_rule():
    inputs = rows(4)
    inputs[0, 2] = inputs[3, :] = 0
    with_rule, without = build().explainer, build(zero_rule=False).explainer
    zero = inputs == 0
    assert torch.equal(with_rule.attributions(inputs) == 0, zero)
    assert (without.attributions(inputs)[zero] != 0).all()
    torch.testing.assert_close(
        with_rule.attributions(inputs)[~zero], without.attributions(inputs)[~zero]
    )


def test_stored_removals_are_used_instead_of_the_model():
    model = build()
    removals = model.local_correlation.evaluate(f().eval(), rows(16), ColumnMasker(N))
    data = [{"inputs": rows(16), "removals": removals.as_dict()}]
    fresh = model.training_loss(model.batch_of(rows(16)))
    model._target._forward = None
    torch.testing.assert_close(model.training_loss(model.batch_of(data[0])), fresh)
    quiet_trainer(max_epochs=1).fit(model, DataLoader(data, batch_size=None))


def test_alpha_1_learns_the_supervision_without_evaluating_the_model():
    calls = []

    def target(inputs):
        calls.append(1)
        return f()(inputs)

    model = build(target, alpha=1.0, pattern_consistency=PatternConsistencyLoss("cosine"))
    trainer = quiet_trainer(max_epochs=30)
    trainer.fit(model, loader(supervised()))
    assert not calls
    assert trainer.callback_metrics["train_pattern_consistency_loss"] < 0.1


def test_supervision_is_compared_at_every_alpha_and_required_above_0():
    model = build(alpha=0.0)
    parts = model.training_loss(model.batch_of({"inputs": rows(8), "supervision": rows(8, 1)}))
    assert parts["pattern_consistency_loss"] > 0
    torch.testing.assert_close(parts["loss"], parts["local_correlation_loss"])
    model.alpha = 0.5
    with pytest.raises(ValueError, match="batch must be a mapping with 'supervision'"):
        model.training_loss(model.batch_of(rows(8)))
    with pytest.raises(ValueError, match=r"supervision must have shape \(8, 6\)"):
        model.batch_of({"inputs": rows(8), "supervision": rows(8)[:, :3]})
    with pytest.raises(ValueError, match="alpha must lie in"):
        model.alpha = 1.5


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_supervision_explains_the_predicted_class_of_an_explanation_of_all_classes(alpha):
    network = ExplainerMLP(N, hidden_features=(8,), num_classes=2, per_class=True)
    model = build(network=network, alpha=alpha, explained="all")
    inputs, supervision = rows(8), rows(8, 1)
    parts = model.training_loss(model.batch_of({"inputs": inputs, "supervision": supervision}))
    wanted = f().eval()(inputs).argmax(dim=1)
    saliency = model.explainer.saliency(inputs)[torch.arange(8), :, wanted]
    torch.testing.assert_close(
        parts["pattern_consistency_loss"], model.pattern_consistency(saliency, supervision)
    )


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_a_network_that_takes_the_class_learns_the_class_of_the_supervision(alpha):
    network = ExplainerMLP(N, hidden_features=(8,), num_classes=3)
    model = build(f(3), network, alpha)
    inputs, supervision = rows(8), rows(8, 1)
    other = (f(3).eval()(inputs).argmax(dim=1) + 1) % 3
    batch = {"inputs": inputs, "supervision": supervision, "supervision_target": other}
    found = model.training_loss(model.batch_of(batch))
    saliency = network(inputs, target=other)
    torch.testing.assert_close(
        found["pattern_consistency_loss"], model.pattern_consistency(saliency, supervision)
    )
    if alpha < 1:
        removals = model.local_correlation.evaluate(f(3), inputs, ColumnMasker(N))
        torch.testing.assert_close(
            found["local_correlation_loss"], model.local_correlation(saliency, removals, other)
        )
    else:
        model._target._forward = None  # the class is known without it
        torch.testing.assert_close(model.training_loss(model.batch_of(batch)), found)


def test_a_network_of_one_class_is_not_fitted_to_explanations_of_another():
    inputs, supervision = rows(8), rows(8, 1)
    predicted = f(3).eval()(inputs).argmax(dim=1)
    other = predicted.clone()
    other[:2] = (predicted[:2] + 1) % 3

    def loss(given, **kwargs):
        model = build(f(3), alpha=0.5, **kwargs)
        batch = {"inputs": inputs, "supervision": supervision, "target": predicted}
        return model.training_loss(model.batch_of({**batch, "supervision_target": given}))["loss"]

    assert loss(predicted) == loss(None)
    assert loss(predicted, explained="true") == loss(None, explained="true")
    for explained in ("predicted", "true"):
        wrong = f"must be the explained class, the {explained} one, .* for 2 of 8 samples"
        with pytest.raises(ValueError, match=wrong):
            loss(other, explained=explained)
    with pytest.raises(ValueError, match=r"target must lie in 0\.\.2, the target_model's classes"):
        loss(predicted + 3)
    with pytest.raises(ValueError, match=r"supervision_target must be class indices \(8,\), got"):
        loss(predicted[:, None])
    with pytest.raises(TypeError, match=r"supervision_target must be a torch\.Tensor, got list"):
        loss(predicted.tolist())


def test_classes_that_are_equal_up_to_rounding_may_change_between_runs():
    def tied(inputs):
        return torch.stack([inputs[:, 0], inputs[:, 0] + 1e-6, inputs[:, 0] - 1], dim=1)

    model = build(tied, alpha=0.5)
    batch = {"inputs": rows(8), "supervision": rows(8, 1)}
    for given in (0, 1):
        batch["supervision_target"] = torch.full((8,), given)
        model.training_loss(model.batch_of(batch))
    batch["supervision_target"] = torch.full((8,), 2)
    with pytest.raises(ValueError, match="for 8 of 8 samples"):
        model.training_loss(model.batch_of(batch))


def test_subsets_that_follow_the_order_of_the_explanation():
    terms = [CorrelationTerm(PrefixLaw()), CorrelationTerm(BernoulliLaw())]
    model = build(local_correlation=LocalCorrelationLoss(terms))
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader())
    removals = LocalCorrelationLoss("paper").evaluate(f().eval(), rows(8), ColumnMasker(N))
    with pytest.raises(ValueError, match="removals must not be stored"):
        model.training_loss(model.batch_of({"inputs": rows(8), "removals": removals.as_dict()}))


class Recorded(DeepFaith):
    """Records the subsets of every step."""

    def _evaluate_subsets(self, batch, seed, saliency):
        found = super()._evaluate_subsets(batch, seed, saliency)
        if self.trainer.training:
            self.seen = [*getattr(self, "seen", []), found.keep]
        return found


def test_a_resumed_run_continues_with_the_same_subsets(tmp_path):
    def recorded():
        torch.manual_seed(2)
        return Recorded(f(), ExplainerMLP(N), ColumnMasker(N), optimizer=adam)

    whole = recorded()
    quiet_trainer(max_epochs=4).fit(whole, loader())
    first = recorded()
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(first, loader())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    second = recorded()
    quiet_trainer(max_epochs=4).fit(second, loader(), ckpt_path=tmp_path / "half.ckpt")
    seen = first.seen + second.seen
    assert len(seen) == len(whole.seen) == 16
    assert all(torch.equal(a, b) for a, b in zip(seen, whole.seen, strict=True))
    assert not torch.equal(seen[0], seen[4])  # of the same rows, one epoch later
    for a, b in zip(second.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_half_precision_trains_the_network_and_evaluates_the_model_in_its_own():
    model = build(network=ExplainerTransformer(ColumnTokens(N, 8), 1, 2))
    seen = []

    def target(inputs):
        logits = plain(inputs)
        seen.append(logits.dtype)
        return logits

    plain = f().eval()
    model._target._forward = target
    trainer = quiet_trainer(max_epochs=2, precision="bf16-mixed")
    trainer.fit(model, loader(), loader())
    assert set(seen) == {torch.float32}
    assert trainer.callback_metrics["train_loss"].isfinite()
    assert trainer.callback_metrics["train_loss"].dtype == torch.float32


def gradients_of_rank(rank, world_size):
    """Gradients of a step through DistributedDataParallel, as Lightning runs it."""

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = build(alpha=0.4)

        def forward(self, inputs, supervision):
            batch = {"inputs": inputs, "supervision": supervision}
            return self.model.training_loss(self.model.batch_of(batch))["loss"]

    step = Step()
    if world_size > 1:
        step = nn.parallel.DistributedDataParallel(step)
    inputs, supervision = rows(16), rows(16, 1)
    for _ in range(2):  # an unsynchronised first step shows in the second
        step.zero_grad()
        step(inputs[rank::world_size], supervision[rank::world_size]).backward()
    return [p.grad for p in step.parameters()]


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_one_process():
    alone = gradients_of_rank(0, 1)
    for of_rank in run_distributed(gradients_of_rank):
        torch.testing.assert_close(of_rank, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["banzhaf", "shapley"])
def test_a_network_learns_the_values_of_a_game(value):
    """One network for all rows, on rows that it has not seen."""
    from pear_lightning.explainers import Lime
    from pear_lightning.scoring import ShapleyLaw
    from tests.losses.test_local_correlation import Game

    n = 6
    game = Game(n)
    law = BernoulliLaw() if value == "banzhaf" else ShapleyLaw(full_weight=0.5)
    term = CorrelationTerm(law, output="logit", centered=value == "banzhaf", n_subsets=2**n)
    torch.manual_seed(0)
    model = DeepFaith(
        game, ExplainerMLP(n, hidden_features=(128, 128)), ColumnMasker(n),
        local_correlation=LocalCorrelationLoss([term]),
        optimizer=lambda params: torch.optim.Adam(params, lr=2e-3),
    )  # fmt: skip
    quiet_trainer(max_epochs=60).fit(
        model, DataLoader(torch.randn(4096, n), batch_size=256, shuffle=True)
    )
    inputs = torch.randn(100, n)
    exact = {
        "banzhaf": Lime(2**n, alpha=0, similarity="masks", kernel_width=1e6),
        "shapley": KernelShap(2**n),
    }[value]
    _, (truth,) = explain(game, inputs, 0, [exact])
    found = model.explainer.attributions(inputs)
    assert torch.cosine_similarity(found, truth).mean() > 0.97


@pytest.mark.parametrize(
    ("build_bad", "error", "message"),
    [
        (lambda: build(target=3), TypeError, "target_model must be callable"),
        (lambda: build(network=3), TypeError, "network must be"),
        (lambda: build(explained="label"), ValueError, "explained must be one of"),
        (lambda: build(side=["hidden"]), ValueError, "side must be one of"),
        (lambda: build(alpha=-0.1), ValueError, "alpha must lie in"),
    ],
)
def test_bad_arguments(build_bad, error, message):
    with pytest.raises(error, match=message):
        build_bad()


def test_networks_that_do_not_fit_are_named():
    model = build(network=nn.Linear(N, N - 1))
    with pytest.raises(ValueError, match=r"network must return scores \(16, 6\)"):
        quiet_trainer().fit(model, loader())
    model = build(explained="all")
    with pytest.raises(ValueError, match=r"network must return scores \(B, n, C\)"):
        quiet_trainer().fit(model, loader())
    model = build(network=ExplainerMLP(N, side_channels=1))
    with pytest.raises(ValueError, match="side must be given"):
        quiet_trainer().fit(model, loader())
