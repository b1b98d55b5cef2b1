"""LearnedOrder: the relaxed order, the areas under both curves, and known orders."""

import pytest
import torch
from torch.utils.data import DataLoader

from pear_lightning.functional.relaxed_order import relaxed_prefixes, sinkhorn
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.modules import LearnedOrder, Surrogate
from pear_lightning.nn import (
    MLP,
    ExplainerMLP,
    ExplainerTransformer,
    TextTokens,
    TransformerTextClassifier,
)
from tests.modules.helpers import quiet_trainer
from tests.reference import learned_explainers as reference

N = 6
KINDS = ["sinkhorn", "soft_rank"]


def fast(params):
    return torch.optim.Adam(params, lr=5e-3)


def f(classes=3):
    torch.manual_seed(1)
    return MLP(N, classes, hidden_features=(16,), activation="gelu", dropout=0.5)


def build(target=None, **kwargs):
    torch.manual_seed(2)
    network = ExplainerMLP(N, hidden_features=(32,))
    return LearnedOrder(
        f() if target is None else target, network, ColumnMasker(N), **{"optimizer": fast} | kwargs
    )


def test_sinkhorn_returns_doubly_stochastic_matrices():
    matrix = sinkhorn(2 * torch.randn(3, 5, 5), 50)
    ones = torch.ones(3, 5)
    torch.testing.assert_close(matrix.sum(dim=1), ones)
    torch.testing.assert_close(matrix.sum(dim=2), ones, atol=1e-3, rtol=0)
    assert (matrix >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_temperature_gives_the_hard_order(kind):
    scores = torch.stack([torch.randperm(7) for _ in range(4)]).float()
    sizes = torch.tensor([[1, 2, 3, 6], [4, 5, 6, 1]])
    present = torch.ones(4, 7, dtype=torch.bool)
    share = relaxed_prefixes(scores, sizes, present, relaxation=kind, temperature=0.01)
    ranks = scores.argsort(dim=1, descending=True).argsort(dim=1)
    torch.testing.assert_close(share, (ranks < sizes[..., None]).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_shares_are_the_same_under_autocast(kind):
    scores, sizes = torch.randn(4, 7), torch.tensor([[1, 2, 3, 6]])
    present = torch.ones(4, 7, dtype=torch.bool)
    expected = relaxed_prefixes(scores, sizes, present, relaxation=kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = relaxed_prefixes(scores, sizes, present, relaxation=kind)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_shares_have_gradients_and_do_not_depend_on_the_scale_or_on_absent_features(kind):
    scores = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    sizes, present = torch.tensor([[2, 1, 3]]), torch.ones(3, 6, dtype=torch.bool)
    present[:, 4:] = False

    def of(scores):
        return relaxed_prefixes(scores, sizes, present, relaxation=kind, temperature=0.5)

    assert torch.autograd.gradcheck(of, (scores,))
    torch.testing.assert_close(of(7 * scores + 3), of(scores), atol=1e-6, rtol=0)
    changed = scores.detach().clone()
    changed[:, 4:] = 99
    torch.testing.assert_close(of(changed), of(scores))
    assert (of(scores)[..., 4:] == 0).all()
    equal = of(torch.zeros(3, 6))
    assert equal.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_shares_do_not_depend_on_the_number_of_absent_features(kind):
    scores, sizes = torch.randn(2, 8), torch.tensor([[4, 3]])

    def with_absent(count, temperature):
        present = torch.ones(2, 8 + count, dtype=torch.bool)
        present[:, 8:] = False
        padded = torch.cat([scores, torch.zeros(2, count)], dim=1)
        return relaxed_prefixes(padded, sizes, present, relaxation=kind, temperature=temperature)[
            ..., :8
        ]

    for temperature in (0.3, 1.0):
        alone = with_absent(0, temperature)
        for count in (1, 5, 20, 56):
            torch.testing.assert_close(with_absent(count, temperature), alone, atol=1e-3, rtol=0)


def test_evaluation_equals_the_formula_with_the_hard_order():
    model, inputs = build(n_steps=3), torch.randn(4, N)
    read = model.batch_of(inputs)
    found = model.evaluation_loss(read)
    target = f().eval()
    phi, sizes = model.explainer.saliency(inputs), model._sizes(read, 0)
    wanted = []
    for b in range(4):
        label = target(inputs)[b].argmax()

        def value(kept, b=b, label=label):
            point = torch.zeros(N)
            point[list(kept)] = inputs[b, list(kept)]
            return target(point[None]).softmax(dim=1)[0, label].item()

        order = phi[b].argsort(descending=True).tolist()
        wanted.append(reference.areas(value, order, sizes[:, b].tolist()))
    deletion, insertion = (sum(each) / 4 for each in zip(*wanted, strict=True))
    assert found["deletion"].item() == pytest.approx(deletion, rel=1e-4)
    assert found["insertion"].item() == pytest.approx(insertion, rel=1e-4)
    assert found["loss"].item() == pytest.approx(deletion - insertion, rel=1e-3, abs=1e-6)


def test_features_that_equal_the_baseline_have_no_place_in_the_order():
    model, inputs = build(n_steps=3, zero_rule=True), torch.randn(3, N)
    inputs[0, [1, 4]] = inputs[1, 2:] = 0
    read = model.batch_of(inputs)
    phi, sizes, target = model.explainer.saliency(inputs), model._sizes(read, 0), f().eval()
    wanted = []
    for b in range(3):
        label = target(inputs)[b].argmax()
        active = inputs[b].nonzero()[:, 0]
        assert sizes[:, b].max() < len(active)

        def value(kept, b=b, label=label, active=active):
            point = torch.zeros(N)
            point[active[list(kept)]] = inputs[b, active[list(kept)]]
            return target(point[None]).softmax(dim=1)[0, label].item()

        order = phi[b, active].argsort(descending=True).tolist()
        wanted.append(reference.areas(value, order, sizes[:, b].tolist()))
    found = model.evaluation_loss(read)
    deletion, insertion = (sum(each) / 3 for each in zip(*wanted, strict=True))
    assert found["deletion"].item() == pytest.approx(deletion, rel=1e-4)
    assert found["insertion"].item() == pytest.approx(insertion, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_that_equals_the_baseline_has_a_finite_gradient(kind):
    model, inputs = build(zero_rule=True, relaxation=kind), torch.randn(2, N)
    inputs[0] = 0
    loss = model.training_loss(model.batch_of(inputs))["loss"]
    loss.backward()
    assert loss.isfinite()
    assert model.evaluation_loss(model.batch_of(inputs))["loss"].isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_training_has_the_value_of_the_evaluation_at_a_small_temperature(kind):
    model = build(n_steps=3, relaxation=kind, temperature=1e-3, zero_rule=True)
    inputs = torch.randn(4, N)
    inputs[0, 1:3] = 0
    read = model.batch_of(inputs)
    hard, soft = model.evaluation_loss(read), model.training_loss(read)
    torch.testing.assert_close(soft["loss"], hard["loss"], atol=2e-3, rtol=0)


def test_sizes_are_uniform_and_spread_over_the_curve():
    stats = pytest.importorskip("scipy.stats")
    model = build(n_steps=1)
    sizes = model._sizes(model.batch_of(torch.randn(3000, N)), 3).flatten()
    assert sizes.min() == 1
    assert stats.chisquare(sizes.bincount(minlength=N)[1:].double()).pvalue > 0.01
    spread = build(n_steps=5)
    every = spread._sizes(spread.batch_of(torch.randn(20, N)), 3)
    assert (every == torch.arange(1, N)[:, None]).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_finds_the_order_of_a_linear_model(kind):
    weights = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, -1.0])

    def model_of(inputs):
        return torch.stack([torch.zeros(len(inputs)), inputs @ weights], dim=1)

    model = build(
        model_of, relaxation=kind, output="centered_logit", n_steps=3,
        optimizer=lambda params: torch.optim.Adam(params, lr=1e-2),
    )  # fmt: skip
    loader = DataLoader(torch.randn(1024, N), batch_size=64)
    trainer = quiet_trainer(max_epochs=20)
    trainer.fit(model, loader, loader)
    inputs = torch.randn(200, N)
    sign = 2 * model_of(inputs).argmax(dim=1) - 1

    class Given(torch.nn.Module):
        def __init__(self, scores):
            super().__init__()
            self.scores = scores

        def forward(self, inputs):
            return self.scores

    def area(scores):
        judge = LearnedOrder(model_of, Given(scores), ColumnMasker(N), output="centered_logit")
        return judge.evaluation_loss(judge.batch_of(inputs))["loss"].item()

    best, worst = area(sign[:, None] * inputs * weights), area(-sign[:, None] * inputs * weights)
    assert area(model.explainer.attributions(inputs)) < best + 0.04 * (worst - best)
    metrics = trainer.callback_metrics
    assert metrics["val_loss"] == pytest.approx(
        metrics["val_deletion"].item() - metrics["val_insertion"].item(), abs=1e-3
    )


def test_a_model_without_gradients_needs_a_surrogate():
    def steps(inputs):
        positive = (inputs[:, 0] > 0).float()
        return torch.stack([1 - positive, positive], dim=1).detach()

    with pytest.raises(ValueError, match="target_model must be differentiable"):
        quiet_trainer().fit(build(steps), DataLoader(torch.randn(16, N), batch_size=8))
    with pytest.raises(ValueError, match=r"^surrogate must be differentiable"):
        quiet_trainer().fit(
            build(f(2), surrogate=steps), DataLoader(torch.randn(16, N), batch_size=8)
        )
    surrogate = Surrogate(steps, MLP(N, 2), ColumnMasker(N))
    model = build(steps, surrogate=surrogate)
    quiet_trainer(max_epochs=1).fit(model, DataLoader(torch.randn(16, N), batch_size=8))
    assert all(p.grad is None for p in surrogate.parameters())


def test_texts_with_padding():
    classifier = TransformerTextClassifier(20, 2, max_tokens=6)
    network = ExplainerTransformer(TextTokens(20, n_tokens=6, dim=8), 1, 2)
    model = LearnedOrder(classifier, network, TokenMasker(4, pad_token_id=0))
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0], [9, 0, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    loader = DataLoader([batch], batch_size=None)
    quiet_trainer(max_epochs=1).fit(model, loader, loader)
    assert all(p.grad is None for p in classifier.parameters())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_steps": 0}, "n_steps must be"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"insertion_weight": -1.0}, "insertion_weight must be"),
        ({"relaxation": "hard"}, "relaxation must be one of"),
        ({"explained": "all"}, "explained must be one of"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)
