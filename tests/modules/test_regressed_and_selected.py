"""StochasticAmortization, CXPlain, L2X, RealX and EvalX: losses, laws, and known answers."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pear_lightning.explainers import KernelShap, Lime, PermutationShap, explain
from pear_lightning.functional.bootstrap import bootstrap_weights
from pear_lightning.functional.concrete import gumbel_softmax, relaxed_bernoulli
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform, sample_seeds
from pear_lightning.functional.prediction_divergence import prediction_divergence
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.modules import L2X, CXPlain, EvalX, RealX, StochasticAmortization
from pear_lightning.nn import (
    MLP,
    ColumnTokens,
    ExplainerEnsemble,
    ExplainerMLP,
    ExplainerTransformer,
    TextTokens,
    TransformerTextClassifier,
)
from pear_lightning.scoring import Batch, SingleRemovalLaw
from pear_lightning.scoring.loss_increases import loss_increases
from pear_lightning.scoring.masked_logits import masked_logits
from pear_lightning.scoring.removals import remove_subsets
from tests.losses.test_local_correlation import Game
from tests.modules.helpers import quiet_trainer
from tests.reference import learned_explainers as reference

N = 6


def fast(params):
    return torch.optim.Adam(params, lr=5e-3)


def f(classes=3):
    torch.manual_seed(1)
    return MLP(N, classes, hidden_features=(16,), activation="gelu", dropout=0.5)


def first_two(inputs):
    """Logits that depend on the first two columns alone."""
    score = 3 * inputs[:, 0] + 2 * inputs[:, 1]
    return torch.stack([-score, score], dim=1)


# --- stochastic amortisation ------------------------------------------------------------------


def test_stochastic_amortization_equals_the_formula():
    model = StochasticAmortization(None, ExplainerMLP(N), ColumnMasker(N))
    inputs, labels = torch.randn(4, N), torch.randn(4, N)
    read = model.batch_of({"inputs": inputs, "supervision": labels})
    phi = model.explainer.saliency(inputs)
    wanted = [
        reference.stochastic_amortization_loss(a.tolist(), b.tolist())
        for a, b in zip(phi, labels, strict=True)
    ]
    assert model.training_loss(read)["loss"].item() == pytest.approx(sum(wanted) / 4, rel=1e-5)
    with pytest.raises(ValueError, match="batch must be a mapping with 'supervision'"):
        model.training_loss(model.batch_of(inputs))


def test_labels_and_judged_explanations_that_are_not_finite_raise():
    inputs, values = torch.randn(4, N), torch.randn(4, N)
    values[1, 2] = float("nan")
    model = StochasticAmortization(None, ExplainerMLP(N), ColumnMasker(N))
    with pytest.raises(ValueError, match="supervision must be finite, got 1 NaN"):
        model.training_loss(model.batch_of({"inputs": inputs, "supervision": values}))
    judge = EvalX(None, MLP(N, 3), ColumnMasker(N), labels="true")
    with pytest.raises(ValueError, match="saliency must be finite, got 1 NaN"):
        judge.judge((inputs, torch.tensor([0, 1, 2, 0])), values, 2)


def test_stochastic_amortization_selects_the_predicted_class_of_all():
    network = ExplainerMLP(N, num_classes=3, per_class=True)
    model = StochasticAmortization(f(), network, ColumnMasker(N), explained="all")
    inputs, labels = torch.randn(4, N), torch.randn(4, N)
    loss = model.training_loss(model.batch_of({"inputs": inputs, "supervision": labels}))["loss"]
    chosen = f().eval()(inputs).argmax(dim=1)
    phi = model.explainer.saliency(inputs)[torch.arange(4), :, chosen]
    torch.testing.assert_close(loss, (phi - labels).square().sum(dim=1).mean())


LABELS = {
    "kernel": (KernelShap(48, paired=False), KernelShap(4096)),
    "permutation": (PermutationShap(12), KernelShap(4096)),
    "lime": (
        Lime(40, alpha=0, similarity="masks", kernel_width=1e6),
        Lime(4096, alpha=0, similarity="masks", kernel_width=1e6),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LABELS)
def test_noise_of_the_labels_averages_out(name):
    """The network is closer to the exact values of a game of 12 features than its labels are."""
    n = 12
    game, (noisy, exact) = Game(n), LABELS[name]
    rows = torch.randn(8192, n)
    labels = torch.cat([explain(game, each, 0, [noisy])[1][0] for each in rows.split(512)])
    model = StochasticAmortization(
        None, ExplainerMLP(n, hidden_features=(128, 128)), ColumnMasker(n),
        optimizer=lambda params: torch.optim.Adam(params, lr=2e-3),
    )  # fmt: skip
    data = [{"inputs": a, "supervision": b} for a, b in zip(rows, labels, strict=True)]
    quiet_trainer(max_epochs=30).fit(model, DataLoader(data, batch_size=256, shuffle=True))
    inputs = torch.randn(100, n)
    _, (truth,) = explain(game, inputs, 0, [exact])
    _, (one,) = explain(game, inputs, 0, [noisy])
    found = model.explainer.attributions(inputs)
    cosine = torch.cosine_similarity(found, truth).mean()
    assert cosine > 0.97
    assert cosine > torch.cosine_similarity(one, truth).mean()


# --- CXPlain ----------------------------------------------------------------------------------


def cxplain(network=None, target=None, **kwargs):
    torch.manual_seed(2)
    network = network or ExplainerMLP(N, hidden_features=(16,), scale="softmax")
    return CXPlain(
        f() if target is None else target, network, ColumnMasker(N), **{"optimizer": fast} | kwargs
    )


def test_cxplain_equals_the_formula():
    model, inputs, labels = cxplain(), torch.randn(4, N), torch.tensor([2, 0, 1, 1])
    found = model.training_loss(model.batch_of((inputs, labels)))["loss"].item()
    target, phi = f().eval(), model.explainer.saliency(inputs)
    wanted = []
    for row, label, scores in zip(inputs, labels, phi, strict=True):
        copies = row.repeat(N + 1, 1)
        copies[torch.arange(N), torch.arange(N)] = 0
        losses = (-target(copies).log_softmax(dim=1)[:, label]).tolist()
        wanted.append(reference.cxplain_loss(scores.tolist(), losses[-1], losses[:-1]))
    assert found == pytest.approx(sum(wanted) / 4, rel=1e-3)


def test_cxplain_finds_the_relevant_features():
    model = cxplain(target=first_two, explained="predicted")
    quiet_trainer(max_epochs=15).fit(model, DataLoader(torch.randn(512, N), batch_size=32))
    inputs = torch.randn(200, N)
    scores = model.explainer.attributions(inputs)
    read = model.batch_of(inputs)
    removals = remove_subsets(first_two, read.batch, read.bound, [(SingleRemovalLaw(), 1)])
    target = first_two(inputs).argmax(dim=1)
    shares = loss_increases(removals, target, read.bound.present)
    assert scores[:, :2].sum(dim=1).mean() > 0.9
    assert torch.cosine_similarity(scores, shares).mean() > 0.9


def test_features_at_the_baseline_get_no_share_of_cxplain():
    inputs = torch.randn(3, N)
    inputs[0, 2:] = inputs[2] = 0
    model = cxplain()
    loss = model.training_loss(model.batch_of((inputs, torch.tensor([0, 1, 2]))))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_cxplain_members_learn_from_different_bootstrap_samples():
    torch.manual_seed(2)
    members = [ExplainerMLP(N, hidden_features=(8,), scale="softmax") for _ in range(3)]
    model = cxplain(ExplainerEnsemble(members))
    inputs, labels = torch.randn(16, N), torch.randint(3, (16,))
    read = model.batch_of((inputs, labels))
    weights = bootstrap_weights(read.bound.seeds, 3)
    wanted = []
    for member, weight in zip(members, weights, strict=True):
        alone = cxplain(member)
        losses = [
            alone.training_loss(alone.batch_of((inputs[b : b + 1], labels[b : b + 1])))["loss"]
            for b in range(16)
        ]
        wanted.append((weight * torch.stack(losses)).mean())
    torch.testing.assert_close(model.training_loss(read)["loss"], torch.stack(wanted).mean())
    torch.testing.assert_close(
        model.explainer.saliency(inputs), torch.stack([m(inputs) for m in members]).mean(dim=0)
    )
    low, high = model.explainer.interval(inputs, 0.8)
    assert (low < high).any()
    assert (low <= high).all()


class Shares(nn.Module):
    """Shares of four tokens: one score for the first, which is special, and given ones."""

    scale = "softmax"

    def __init__(self, first):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor([first, 0.0, 1.0, 2.0]))

    def forward(self, inputs, attention_mask=None):
        return self.scores.expand(len(inputs), -1).softmax(dim=1)


def test_special_tokens_have_no_share_of_cxplain_and_cause_no_uncertainty():
    members = [Shares(first) for first in (-5.0, 0.0, 5.0)]
    masker = TokenMasker(4, special_token_ids=[2])
    classifier = TransformerTextClassifier(20, 2, max_tokens=4)
    batch = {"input_ids": torch.tensor([[2, 6, 7, 8]])}
    for network in (members[0], ExplainerEnsemble(members)):
        explainer = CXPlain(classifier, network, masker, explained="predicted").explainer
        saliency = explainer.saliency(batch)
        wanted = torch.tensor([0.0, 1.0, 2.0]).softmax(dim=0)
        torch.testing.assert_close(saliency, torch.cat([torch.zeros(1), wanted])[None])
    low, high = explainer.interval(batch)
    torch.testing.assert_close(low, saliency)
    torch.testing.assert_close(high, saliency)


def test_an_interval_is_one_of_evaluation():
    torch.manual_seed(0)
    members = [
        ExplainerTransformer(ColumnTokens(N, 8), 1, 2, dropout=0.5, scale="softmax")
        for _ in range(2)
    ]
    model = cxplain(ExplainerEnsemble(members)).train()
    inputs = torch.randn(3, N)
    first, again = (model.explainer.interval(inputs) for _ in range(2))
    torch.testing.assert_close(first, again)
    assert model.explainer.network.training
    with pytest.raises(TypeError, match="network must be an ExplainerEnsemble"):
        cxplain(members[0]).explainer.interval(inputs)


def test_bootstrap_weights_follow_the_poisson_law():
    stats = pytest.importorskip("scipy.stats")
    weights = bootstrap_weights(sample_seeds(torch.randn(4000, 3)), 4)
    counts = weights.clamp(max=4).flatten().long().bincount(minlength=5).double()
    law = stats.poisson(1)
    expected = [law.pmf(k) for k in range(4)] + [law.sf(3)]
    assert stats.chisquare(counts, torch.tensor(expected) * 16000).pvalue > 0.01
    assert torch.corrcoef(weights).sub(torch.eye(4)).abs().max() < 0.06


def test_cxplain_refuses_scores_that_are_no_shares():
    with pytest.raises(ValueError, match="scale='softmax', got scale='unbounded'"):
        cxplain(ExplainerMLP(N))
    model = cxplain(nn.Linear(N, N))
    with pytest.raises(ValueError, match="network must return positive scores"):
        model.training_loss(model.batch_of((torch.randn(8, N), torch.zeros(8).long())))
    with pytest.raises(ValueError, match="explained must be one of"):
        cxplain(explained="all")
    with pytest.raises(ValueError, match="networks must hold at least one"):
        ExplainerEnsemble([])
    with pytest.raises(ValueError, match="level must lie in"):
        ExplainerEnsemble([ExplainerMLP(N)]).interval(torch.randn(1, N), 1.0)


# --- L2X --------------------------------------------------------------------------------------


def l2x(target=None, **kwargs):
    torch.manual_seed(2)
    network, predictor = ExplainerMLP(N, hidden_features=(16,)), MLP(N, 3, (16,))
    return L2X(f() if target is None else target, network, ColumnMasker(N), predictor, **kwargs)


def test_l2x_equals_the_formula():
    model, inputs = l2x(n_selected=2, temperature=0.7), torch.randn(4, N)
    read = model.batch_of(inputs)
    seeds = derived_seeds(read.bound.seeds, "gumbel", 0)
    uniform = hashed_uniform(seeds, torch.arange(2), N)
    phi, wanted = model.explainer.saliency(inputs), []
    for b in range(4):
        mask = reference.l2x_mask(phi[b].tolist(), uniform[:, b].tolist(), 0.7)
        q = model.predictor(torch.tensor(mask) * inputs[b])
        wanted.append(
            reference.kl(
                reference.softmax(f().eval()(inputs)[b].tolist()), reference.softmax(q.tolist())
            )
        )
    found = model.training_loss(read)["loss"].item()
    assert found == pytest.approx(sum(wanted) / 4, rel=1e-4)


def test_l2x_selects_the_relevant_features():
    torch.manual_seed(2)
    model = L2X(
        first_two, ExplainerMLP(N, hidden_features=(32,)), ColumnMasker(N),
        MLP(N, 2, hidden_features=(32,)), n_selected=2, optimizer=fast,
    )  # fmt: skip
    loader = DataLoader(torch.randn(1024, N), batch_size=32)
    trainer = quiet_trainer(max_epochs=10)
    trainer.fit(model, loader, loader)
    chosen = model.explainer.attributions(torch.randn(200, N)).topk(2, dim=1).indices
    assert (chosen < 2).float().mean() > 0.9
    assert trainer.callback_metrics["val_loss"] < 0.15


def test_l2x_does_not_select_features_that_equal_the_baseline():
    network = nn.Linear(N, N)
    nn.init.constant_(network.bias, -10)  # lower than the 0 of a feature at the baseline
    model = L2X(f(), network, ColumnMasker(N), MLP(N, 3), n_selected=2, zero_rule=True)
    inputs = torch.randn(3, N)
    inputs[0, 2:] = inputs[2] = 0
    seen = []
    model.predictor.register_forward_hook(lambda module, args, found: seen.append(args[0]))
    loss = model.training_loss(model.batch_of(inputs))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    model.evaluation_loss(model.batch_of(inputs))
    torch.testing.assert_close(seen[1][0], inputs[0])  # both others are selected


def test_a_gumbel_draw_follows_the_logits():
    logits = torch.tensor([0.0, 1.0, -1.0, -torch.inf])
    draws = gumbel_softmax(logits, torch.rand(20000, 4), 0.1)
    shares = draws.argmax(dim=1).bincount(minlength=4) / 20000
    torch.testing.assert_close(shares, logits.softmax(dim=0), atol=0.015, rtol=0)
    assert (draws[:, 3] == 0).all()


# --- REAL-X and EVAL-X ------------------------------------------------------------------------


def realx(target=None, predictor=None, **kwargs):
    torch.manual_seed(2)
    network = ExplainerMLP(N, hidden_features=(16,))
    predictor = MLP(N, 3, (16,), activation="gelu") if predictor is None else predictor
    return RealX(
        f() if target is None else target, network, ColumnMasker(N), predictor,
        **{"optimizer": fast} | kwargs,
    )  # fmt: skip


def test_realx_has_the_gradient_of_the_formula():
    model, inputs = realx(sparsity_weight=0.3), torch.randn(3, N)
    read = model.batch_of(inputs)
    found = model.training_loss(read)
    found["loss"].backward()
    assert all(p.grad is None for p in model._predictor.forward.parameters())
    gradient = [p.grad.clone() for p in model.explainer.network.parameters()]
    seeds = derived_seeds(read.bound.seeds, "selection", 0)
    first, again = hashed_uniform(seeds, torch.arange(2), N)
    target, q = f().eval()(inputs).argmax(dim=1), model._predictor.forward
    model.zero_grad()
    phi, value = model.explainer.saliency(inputs), 0.0
    total = torch.zeros(())
    for b in range(3):

        def log_q(mask, b=b):
            return q(torch.as_tensor(mask) * inputs[b]).log_softmax(dim=0)[target[b]]

        at_s, at_given, log_p, s = reference.rebar_objective(
            phi[b].tolist(), first[b].tolist(), again[b].tolist(), log_q, 0.3, 0.1
        )
        hard = torch.tensor(s)
        chance = nn.functional.logsigmoid(torch.where(hard > 0, phi[b], -phi[b])).sum()
        assert chance.item() == pytest.approx(log_p, rel=1e-4)
        soft = ((phi[b] + first[b].logit()) / 0.1).sigmoid()
        p = phi[b].sigmoid()
        w = torch.where(hard > 0, 1 - p + again[b] * p, again[b] * (1 - p))
        given = ((phi[b] + w.logit()) / 0.1).sigmoid()
        assert log_q(given).item() == pytest.approx(at_given.item(), rel=1e-3)
        total = total + (at_s - log_q(given)).detach() * chance + log_q(soft) - log_q(given)
        total = total - 0.3 * p.mean()
        value += at_s.item() - 0.3 * p.mean().item()
    (-total / 3).backward()
    for a, b in zip(gradient, model.explainer.network.parameters(), strict=True):
        torch.testing.assert_close(a, b.grad, rtol=1e-3, atol=1e-5)
    assert found["loss"].item() == pytest.approx(-value / 3, rel=1e-4)


def test_rebar_is_unbiased():
    """The mean gradient is that of the expectation, which is a sum over all selections."""
    logits = torch.tensor([0.3, -0.8, 1.0], requires_grad=True)

    def value(mask):
        return (mask[..., 0] * mask[..., 1] + 2 * mask[..., 2] - mask[..., 1]).square()

    selections = torch.tensor([[a, b, c] for a in (0.0, 1) for b in (0.0, 1) for c in (0.0, 1)])
    chance = torch.where(selections > 0, logits.sigmoid(), 1 - logits.sigmoid()).prod(dim=1)
    (exact,) = torch.autograd.grad((chance * value(selections)).sum(), logits)
    u, v = torch.rand(2, 200_000, 3)
    hard, soft, given = relaxed_bernoulli(logits, u, v, 0.5)
    log_p = torch.where(hard > 0, logits, -logits).sigmoid().log().sum(dim=1)
    objective = (value(hard) - value(given)).detach() * log_p + value(soft) - value(given)
    (found,) = torch.autograd.grad(objective.mean(), logits)
    torch.testing.assert_close(found, exact, atol=0.03, rtol=0)
    shares = hard.mean(dim=0)
    torch.testing.assert_close(shares, logits.sigmoid().detach(), atol=0.005, rtol=0)


def test_realx_selects_the_relevant_features_and_evalx_judges_them():
    rows = torch.randn(1024, N)
    data = TensorDataset(rows, first_two(rows).argmax(dim=1))
    torch.manual_seed(2)
    q = EvalX(first_two, MLP(N, 2, (32,)), ColumnMasker(N), n_subsets=4, optimizer=fast)
    loader = DataLoader(data, batch_size=64)
    quiet_trainer(max_epochs=10).fit(q, loader)
    model = realx(first_two, q, sparsity_weight=0.5)
    trainer = quiet_trainer(max_epochs=12)
    trainer.fit(model, loader, loader)
    assert {"val_log_likelihood", "val_selected"} <= set(trainer.callback_metrics)
    inputs = torch.randn(300, N)
    scores = model.explainer.attributions(inputs)
    chosen = scores.topk(2, dim=1).indices
    assert (chosen[:, 0] == 0).float().mean() + (chosen[:, 0] == 1).float().mean() > 0.9
    assert (scores[:, :2].mean() > scores[:, 2:].mean(dim=0)).all()
    batch = (inputs, first_two(inputs).argmax(dim=1))
    good = q.judge(batch, scores, 2)
    bad = q.judge(batch, -scores, 2)
    assert good["accuracy"].mean() > 0.85 > bad["accuracy"].mean() + 0.1
    assert good["log_likelihood"].mean() > bad["log_likelihood"].mean() + 0.2


def test_evalx_keeps_half_of_the_features_and_learns_from_labels():
    q = EvalX(None, MLP(N, 3), ColumnMasker(N), labels="true", optimizer=fast)
    assert q.law.probability == 0.5
    rows, labels = torch.randn(64, N), torch.randint(3, (64,))
    quiet_trainer(max_epochs=1).fit(q, DataLoader(TensorDataset(rows, labels), batch_size=16))
    keep = torch.ones(1, 64, N, dtype=torch.bool)
    batch = q.transfer_batch_to_device((rows, labels), torch.device("cpu"), 0)
    read = Batch.of(batch)
    logits = masked_logits(q, read, ColumnMasker(N).bind(rows), keep, frozen=True)
    wanted = nn.functional.cross_entropy(q.eval()(rows), labels)
    torch.testing.assert_close(q.divergence(read, logits).mean(), wanted)
    with pytest.raises(ValueError, match="labels must be one of"):
        EvalX(None, MLP(N, 3), ColumnMasker(N), labels="predicted")


def training_loss(model, batch):
    return model.training_loss(model.batch_of(batch))


def test_a_predictor_of_one_output_is_refused():
    one, batch = MLP(N, 1), (torch.randn(4, N), torch.zeros(4).long())
    model = RealX(None, ExplainerMLP(N), ColumnMasker(N), one, explained="true")
    with pytest.raises(ValueError, match=r"predictor must have at least 2 outputs, .*, got 1"):
        training_loss(model, batch)
    q = EvalX(None, one, ColumnMasker(N), labels="true")
    with pytest.raises(ValueError, match=r"network must have at least 2 outputs, .*, got 1"):
        q.loss(Batch.of(batch), 0)
    with pytest.raises(ValueError, match=r"network must have at least 2 outputs, .*, got 1"):
        q.judge(batch, torch.randn(4, N), 2)


@pytest.mark.parametrize("label", [-1, 3])
def test_evalx_names_labels_that_are_no_classes(label):
    q = EvalX(None, MLP(N, 3), ColumnMasker(N), labels="true")
    batch = torch.randn(2, N), torch.tensor([0, label])
    wrong = r"target must lie in 0\.\.2, the network's classes, got values from"
    with pytest.raises(ValueError, match=wrong):
        q.loss(Batch.of(batch), 0)
    with pytest.raises(ValueError, match=wrong):
        q.judge(batch, torch.randn(2, N), 2)


@pytest.mark.parametrize("name", ["l2x", "realx"])
def test_texts_are_masked_as_embeddings(name):
    classifier, q = (TransformerTextClassifier(20, 2, max_tokens=6) for _ in range(2))
    network = ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2)
    masker = TokenMasker(4, pad_token_id=0)
    kind = {"l2x": L2X, "realx": RealX}[name]
    model = kind(classifier, network, masker, q)
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    loader = DataLoader([batch], batch_size=None)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader, loader)
    assert (trainer.predict(model, loader)[0]["saliency"][1, 2:] == 0).all()
    if name == "realx":
        assert all(p.grad is None for p in q.parameters())


def test_a_text_is_masked_for_realx_as_for_the_evalx_that_trained_q():
    torch.manual_seed(3)
    q = TransformerTextClassifier(20, 2, max_tokens=6).eval()
    masker = TokenMasker(4, pad_token_id=0)
    network = ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2)
    model = RealX(None, network, masker, q, explained="true")
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]])
    batch = model.batch_of({"input_ids": ids, "attention_mask": (ids != 0).long(),
                            "labels": torch.tensor([0, 1])})  # fmt: skip
    keep = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1]]).bool()
    selected = model._log_likelihood(batch, model.explaining(batch), keep[None].float(), 0)
    by_ids = masked_logits(q, batch.batch, batch.bound, keep[None], frozen=True)
    wanted = by_ids[0].log_softmax(dim=1).gather(1, batch.batch.labels[:, None])[:, 0]
    torch.testing.assert_close(selected[0], wanted)


def test_predictors_without_gradient_are_refused():
    def steps(inputs):
        return torch.stack([(inputs[:, 0] > 0).float(), (inputs[:, 1] > 0).float()], dim=1)

    model = RealX(f(2), ExplainerMLP(N), ColumnMasker(N), steps)
    with pytest.raises(ValueError, match="predictor must be differentiable"):
        model.training_loss(model.batch_of(torch.randn(4, N)))


def test_shares_of_token_ids_are_refused():
    model = L2X(f(), ExplainerMLP(N), ColumnMasker(N), MLP(N, 3))
    bound = ColumnMasker(N).bind(torch.randn(2, N))
    ids = torch.ones(2, 4, dtype=torch.long)
    read = model.batch_of(torch.randn(2, N)).batch
    with pytest.raises(TypeError, match="inputs must be floating point"):
        masked_logits(
            model.predictor, read.with_inputs(ids), TokenMasker(3).bind(ids),
            torch.rand(1, 2, 4), frozen=True,
        )  # fmt: skip
    assert bound.n_features == N


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (lambda: l2x(n_selected=0), ValueError, "n_selected must be"),
        (lambda: l2x(temperature=0.0), ValueError, "temperature must be above 0"),
        (lambda: L2X(f(), ExplainerMLP(N), ColumnMasker(N), 3), TypeError, "predictor must be"),
        (lambda: realx(sparsity_weight=-1.0), ValueError, "sparsity_weight must be"),
        (lambda: realx(temperature=0.0), ValueError, "temperature must be above 0"),
        (lambda: realx(predictor=3), TypeError, "^predictor must be callable"),
        (lambda: realx(explained="all"), ValueError, "explained must be one of"),
        (
            lambda: prediction_divergence(torch.zeros(1, 2), torch.zeros(1, 3)),
            ValueError,
            "network must have the 2 outputs",
        ),
        (
            lambda: training_loss(
                L2X(f(2), ExplainerMLP(N), ColumnMasker(N), MLP(N, 3)), torch.randn(4, N)
            ),
            ValueError,
            "^predictor must have the 2 outputs of the target_model, got 3",
        ),
        (
            lambda: training_loss(
                RealX(f(), ExplainerMLP(N), ColumnMasker(N), None), torch.randn(4, N)
            ),
            ValueError,
            r"^predictor must be given for this step, .* got None; pass predictor=\.\.\.",
        ),
        (
            lambda: training_loss(realx(predictor=MLP(N, 2)), torch.randn(4, N)),
            ValueError,
            r"target must lie in 0\.\.1, the predictor's classes, got values from 0 to 2",
        ),
    ],
)
def test_bad_arguments(bad, error, message):
    with pytest.raises(error, match=message):
        bad()
