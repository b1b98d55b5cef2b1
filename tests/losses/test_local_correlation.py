"""The local correlation loss: its formula, and models whose contributions are known."""

from itertools import combinations

import pytest
import torch
from torch import nn

from pear_lightning.functional.weighted_correlation import weighted_correlation
from pear_lightning.losses import CorrelationTerm, LocalCorrelationLoss
from pear_lightning.masking import ColumnMasker, TokenMasker
from pear_lightning.scoring import (
    BernoulliLaw,
    FixedSizeLaw,
    PrefixLaw,
    ShapleyLaw,
    SingleRemovalLaw,
    UniformSizeLaw,
)
from pear_lightning.scoring.outputs import resolve_output, sees_common_shift
from pear_lightning.scoring.removals import Removals
from tests.reference import deepfaith, shapley

N = 8
ONE_LOGIT = {"output": "logit"}


class Additive(nn.Module):
    """One output, the sum of known functions of the columns, which are 0 at 0."""

    def __init__(self, n=N, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.slopes = nn.Parameter(torch.randn(n, generator=generator))

    def contributions(self, inputs):
        return self.slopes * inputs + inputs.square()

    def forward(self, inputs):
        return self.contributions(inputs).sum(dim=1, keepdim=True)


class Mixed(nn.Module):
    """Several classes, with interactions, dropout and batch normalisation."""

    def __init__(self, n=N, classes=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Dropout(0.5), nn.Linear(16, classes)
        )

    def forward(self, inputs):
        return self.layers(inputs)


def loss_of(*laws, **kwargs):
    return LocalCorrelationLoss([CorrelationTerm(law, **kwargs) for law in laws])


LAWS = [
    BernoulliLaw(),
    BernoulliLaw(0.3),
    UniformSizeLaw(),
    FixedSizeLaw(3),
    FixedSizeLaw(0.25),
    SingleRemovalLaw(),
    ShapleyLaw(),
    PrefixLaw(),
]


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_true_contributions_of_an_additive_model_have_loss_0(law, centered):
    model, inputs = Additive(), torch.rand(5, N)
    loss = loss_of(law, centered=centered, **ONE_LOGIT)
    truth, target = model.contributions(inputs).detach(), torch.zeros(5).long()
    removals = loss.evaluate(model, inputs, ColumnMasker(N), saliency=truth)
    assert abs(loss(truth, removals, target).item()) < 1e-5
    assert loss(-truth, removals, target).item() == pytest.approx(1, abs=1e-5)
    assert 0.05 < loss(torch.randn(5, N), removals, target) < 0.95


def test_the_sum_over_kept_features_has_the_wrong_sign():
    model, inputs = Additive(), torch.rand(1, N)
    loss = loss_of(BernoulliLaw(), n_subsets=100, **ONE_LOGIT)
    removals = loss.evaluate(model, inputs, ColumnMasker(N))
    removed = [set((~row).nonzero().flatten().tolist()) for row in removals.keep[0]]
    drops = (removals.original - removals.logits[..., 0])[0].tolist()
    truth = model.contributions(inputs)[0]
    authors = deepfaith.local_correlation_loss_of_the_authors_code
    assert authors(truth.tolist(), removed, drops) > 0.5
    assert authors((-truth).tolist(), removed, drops) < authors(truth.tolist(), removed, drops)
    assert deepfaith.local_correlation_loss(truth.tolist(), removed, drops) < 1e-6


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("output", ["logit", "centered_logit", "prob", "log_prob", "margin"])
@pytest.mark.parametrize("law", [BernoulliLaw(), UniformSizeLaw(), FixedSizeLaw(0.3)], ids=repr)
def test_equals_the_formula(law, output, centered):
    model, inputs = Mixed().eval(), torch.randn(3, N)
    loss = loss_of(law, output=output, centered=centered)
    saliency, target = torch.randn(3, N), torch.tensor([2, 0, 1])
    removals = loss.evaluate(model, inputs, ColumnMasker(N), seed=4)
    found = loss.per_sample(saliency, removals, target)
    assert not found.undefined.any()
    scalars = {
        "logit": lambda z, c: z[c],
        "centered_logit": lambda z, c: z[c] - z.mean(),
        "prob": lambda z, c: z.softmax(0)[c],
        "log_prob": lambda z, c: z.log_softmax(0)[c],
        "margin": lambda z, c: z[c] - max(v for i, v in enumerate(z) if i != c),
    }
    for row in range(3):
        removed = [set((~keep).nonzero().flatten().tolist()) for keep in removals.keep[row]]
        drops = []
        for subset in removed:
            copy = inputs[row].clone()
            copy[list(subset)] = 0
            both = (model(each[None])[0].double() for each in (inputs[row], copy))
            before, after = (scalars[output](z, int(target[row])).item() for z in both)
            drops.append(before - after)
        expected = deepfaith.local_correlation_loss(
            saliency[row].tolist(), removed, drops, centered
        )
        assert found.values[row].item() == pytest.approx(expected, abs=1e-4)


def test_terms_are_averaged_with_their_weights():
    model, inputs, target = Mixed(), torch.randn(3, N), torch.tensor([2, 0, 1])
    terms = [
        CorrelationTerm(BernoulliLaw(), 2.0, "prob"),
        CorrelationTerm(SingleRemovalLaw(), 0.5, "margin", centered=False),
    ]
    both = LocalCorrelationLoss(terms)
    removals = both.evaluate(model, inputs, ColumnMasker(N))
    assert removals.keep.shape == (3, 16 + N, N)
    saliency = torch.randn(3, N)
    parts = [(1 - each.values) / 2 for each in both.correlations(saliency, removals, target)]
    expected = (2.0 * parts[0] + 0.5 * parts[1]).mean() / 2.5
    torch.testing.assert_close(both(saliency, removals, target), expected)


def test_all_classes_at_once_are_the_classes_one_by_one():
    model, inputs = Mixed(), torch.randn(4, N)
    loss = LocalCorrelationLoss("table")
    removals = loss.evaluate(model, inputs, ColumnMasker(N))
    saliency = torch.randn(4, N, 3)
    each = [loss(saliency[..., c], removals, torch.full((4,), c)) for c in range(3)]
    torch.testing.assert_close(loss(saliency, removals), torch.stack(each).mean())


@pytest.mark.parametrize("preset", ["paper", "table", "image", "text"])
def test_a_sample_has_the_same_loss_in_any_batch(preset):
    model, inputs, target = Mixed(20), torch.randn(5, 20), torch.tensor([0, 1, 2, 0, 1])
    loss, masker, saliency = LocalCorrelationLoss(preset), ColumnMasker(20), torch.randn(5, 20)
    removals = loss.evaluate(model, inputs, masker, seed=3)
    together = loss.per_sample(saliency, removals, target).values
    alone = [
        loss.per_sample(
            saliency[i : i + 1], loss.evaluate(model, inputs[i : i + 1], masker, seed=3),
            target[i : i + 1],
        ).values
        for i in range(5)
    ]  # fmt: skip
    torch.testing.assert_close(together, torch.cat(alone))


def test_texts_of_different_lengths():
    model = nn.Sequential(nn.Embedding(30, 4), nn.Flatten(), nn.Linear(48, 2))
    ids = torch.randint(5, 30, (3, 12))
    ids[:, 0] = 2
    ids[1, 5:] = 0
    masker = TokenMasker(4, special_token_ids=[2], pad_token_id=0)
    loss, target = LocalCorrelationLoss("text", n_subsets=40), torch.tensor([0, 1, 0])
    saliency = torch.randn(3, 12)
    removals = loss.evaluate(model, ids, masker)
    assert removals.keep[1, :, 5:].all()
    assert removals.keep[:, :, 0].all()
    together = loss.per_sample(saliency, removals, target).values
    alone = loss.evaluate(model, ids[1:2], masker)
    torch.testing.assert_close(
        together[1:2], loss.per_sample(saliency[1:2], alone, target[1:2]).values
    )


def test_stored_subsets_serve_every_scalar_without_another_evaluation():
    model, inputs, target = Mixed(), torch.randn(4, N), torch.tensor([0, 1, 2, 0])
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    removals = loss_of(BernoulliLaw()).evaluate(model, inputs, ColumnMasker(N))
    handle.remove()
    stored = {name: each.clone() for name, each in removals.as_dict().items()}
    made = len(calls)
    saliency = torch.randn(4, N)
    for output in ("logit", "prob", "margin"):
        loss = loss_of(BernoulliLaw(), output=output)
        fresh = loss.evaluate(model, inputs, ColumnMasker(N))
        torch.testing.assert_close(
            loss(saliency, Removals.of(stored), target), loss(saliency, fresh, target)
        )
    assert len(calls) == made
    rows = Removals.of(stored).rows(torch.tensor([2, 0]))
    assert torch.equal(rows.keep, stored["keep"][[2, 0]])


def test_padded_entries_of_stored_subsets_do_not_count():
    model, inputs, target = Mixed(), torch.randn(4, N), torch.tensor([0, 1, 2, 0])
    loss, saliency = LocalCorrelationLoss("table"), torch.randn(4, N)
    removals = loss.evaluate(model, inputs, ColumnMasker(N))
    padding = {
        "keep": torch.zeros(4, 3, N, dtype=torch.bool),
        "logits": torch.full((4, 3, 3), 7.0),
        "weights": torch.zeros(4, 3).double(),
        "laws": torch.zeros(4, 3).long(),
    }
    padded = {
        name: each if name == "original" else torch.cat([each, padding[name]], dim=1)
        for name, each in removals.as_dict().items()
    }
    torch.testing.assert_close(
        loss(saliency, Removals.of(padded), target), loss(saliency, removals, target)
    )


def test_no_parameter_of_the_model_gets_a_gradient_and_the_saliency_does():
    model, inputs = Mixed(), torch.randn(4, N, requires_grad=True)
    saliency = torch.randn(4, N, requires_grad=True)
    loss, target = LocalCorrelationLoss("table"), torch.tensor([0, 1, 2, 0])
    loss(saliency, loss.evaluate(model, inputs, ColumnMasker(N)), target).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert inputs.grad is None
    assert (saliency.grad.abs().sum(dim=1) > 0).all()
    assert model.training  # the mode is restored
    assert all(module.training for module in model.modules())
    assert model.layers[1].num_batches_tracked == 0  # evaluated in eval mode


def test_other_seeds_give_other_subsets_and_the_same_seed_the_same():
    model, inputs, loss = Mixed(), torch.randn(4, N), loss_of(BernoulliLaw())
    first, again, other = (
        loss.evaluate(model, inputs, ColumnMasker(N), seed=seed).keep for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert (first != other).any(dim=2).any(dim=1).all()


def test_samples_whose_output_does_not_change_have_no_gradient():
    class Saturated(nn.Module):
        def forward(self, inputs):
            logit = 60 + inputs.sum(dim=1)
            return torch.stack([logit, -logit], dim=1)

    loss, inputs = loss_of(BernoulliLaw(), SingleRemovalLaw()), torch.rand(3, N)
    saliency = torch.randn(3, N, requires_grad=True)
    removals = loss.evaluate(Saturated(), inputs, ColumnMasker(N))
    found = loss.per_sample(saliency, removals, torch.zeros(3).long())
    assert found.undefined.all()
    assert found.values.tolist() == [0.5] * 3
    found.values.sum().backward()
    assert not saliency.grad.any()


def test_gradient_is_that_of_the_formula():
    a, b = torch.randn(2, 3, 7, dtype=torch.float64)
    weights = torch.rand(3, 7).double()
    for centered in (True, False):
        assert torch.autograd.gradcheck(
            lambda x, centered=centered: (
                weighted_correlation(x, b, weights, centered=centered).values
            ),
            a.clone().requires_grad_(),
        )


def test_weighted_correlation_counts_entries_as_often_as_their_weights():
    a, b = torch.randn(2, 4, 5)
    weights = torch.tensor([1, 3, 0, 2, 1])
    for centered in (True, False):
        found = weighted_correlation(a, b, weights, centered=centered).values
        for row in range(4):
            lists = (x[row].repeat_interleave(weights).tolist() for x in (a, b))
            assert found[row].item() == pytest.approx(
                deepfaith.correlation(*lists, centered), abs=1e-5
            )
    tiny = weighted_correlation(1e-30 * a, b, weights).values
    torch.testing.assert_close(tiny, weighted_correlation(a, b, weights).values)


def test_weighted_correlation_refuses_values_that_are_not_finite_where_they_count():
    a, b = torch.randn(2, 4, 5)
    weights = torch.tensor([1, 3, 0, 2, 1])
    wanted = weighted_correlation(a, b, weights).values
    a[0, 2] = float("nan")
    torch.testing.assert_close(weighted_correlation(a, b, weights).values, wanted)
    b[1, 1] = float("inf")
    with pytest.raises(ValueError, match="b must be finite, got 0 NaN and 1 infinite values"):
        weighted_correlation(a, b, weights)
    with pytest.raises(ValueError, match="a must be finite, got 1 NaN and 0 infinite values"):
        weighted_correlation(a, b)


@pytest.mark.parametrize("shape", [(), (1,), (4, 1), (1, 1), (5,), (1, 5), (4, 5)])
@pytest.mark.parametrize("centered", [True, False])
def test_equal_weights_of_any_shape_change_nothing(shape, centered):
    a, b = torch.randn(2, 4, 5)
    found = weighted_correlation(a, b, torch.full(shape, 3.0), centered=centered).values
    torch.testing.assert_close(found, weighted_correlation(a, b, centered=centered).values)


@pytest.mark.parametrize("preset", ["paper", "table", "image", "text"])
def test_no_preset_sees_a_function_common_to_all_logits(preset):
    logits, target = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    for term in LocalCorrelationLoss(preset).terms:
        assert not sees_common_shift(resolve_output(term.output), logits, target)


# --- what the loss finds -----------------------------------------------------------------------


def trained(loss, model, inputs, target, steps=150, free=None, fresh=True):
    """A free saliency for each input, trained by the loss."""
    n = inputs.shape[1]
    torch.manual_seed(0)
    raw = (0.1 * torch.randn(len(inputs), n)).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.1)
    removals = None
    for step in range(steps):
        saliency = raw if free is None else free(raw)
        if fresh or removals is None:
            removals = loss.evaluate(model, inputs, ColumnMasker(n), seed=step)
        optimizer.zero_grad()
        loss(saliency, removals, target).backward()
        optimizer.step()
    return (raw if free is None else free(raw)).detach()


def row_correlations(a, b):
    return (
        torch.corrcoef(torch.stack([a, b]))[0, 1]
        if a.ndim == 1
        else torch.stack([row_correlations(x, y) for x, y in zip(a, b, strict=True)])
    )


class Toy(nn.Module):
    """The toys of the reference: the input is the contribution of each of 40 features."""

    def forward(self, inputs):
        return inputs.sum(dim=1, keepdim=True)


@pytest.mark.parametrize(
    ("law", "signed", "free"),
    [
        (BernoulliLaw(), False, torch.sigmoid),
        (BernoulliLaw(), True, None),
        (FixedSizeLaw(20), True, torch.sigmoid),
        (FixedSizeLaw(20), True, None),
        (UniformSizeLaw(), True, None),
    ],
    ids=["sigmoid", "bernoulli", "fixed size, sigmoid", "fixed size", "uniform size"],
)
def test_optimising_the_loss_recovers_the_truth(law, signed, free):
    inputs = torch.randn(64, 40) if signed else torch.rand(64, 40)
    loss = loss_of(law, n_subsets=10, **ONE_LOGIT)
    found = trained(loss, Toy(), inputs, torch.zeros(64).long(), free=free)
    assert row_correlations(found, inputs).mean() > 0.99


class Game(nn.Module):
    """One output with products of two and three features and a kink."""

    def __init__(self, n):
        super().__init__()
        generator = torch.Generator().manual_seed(n)
        self.linear = torch.randn(n, generator=generator)
        self.pairs = torch.randn(n, n, generator=generator) / n**0.5

    def forward(self, inputs):
        product = torch.einsum("bi,ij,bj->b", inputs, self.pairs.to(inputs), inputs)
        kink = (inputs[:, 0] * inputs[:, 1] * inputs[:, -1] - inputs[:, 2]).relu()
        return (inputs @ self.linear.to(inputs) + product + 2 * kink)[:, None]


def value_of(model, row):
    def value(coalition):
        point = torch.zeros_like(row)
        point[list(coalition)] = row[list(coalition)]
        return model(point[None]).item()

    return value


def banzhaf(value, n):
    result = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        subsets = [frozenset(s) for k in range(n) for s in combinations(others, k)]
        result.append(sum(value(s | {i}) - value(s) for s in subsets) / len(subsets))
    return result


@pytest.mark.parametrize("n", [5, 7])
def test_optimum_of_the_bernoulli_law_is_the_banzhaf_value(n):
    model, inputs = Game(n), torch.randn(4, n)
    truth = torch.tensor([banzhaf(value_of(model, row), n) for row in inputs])
    loss = loss_of(BernoulliLaw(), n_subsets=2**n, **ONE_LOGIT)
    found = trained(loss, model, inputs, torch.zeros(4).long(), fresh=False)
    assert torch.cosine_similarity(found, truth).min() > 0.999


@pytest.mark.parametrize("n", [5, 7])
def test_optimum_of_the_shapley_law_is_the_shapley_value(n):
    model, inputs = Game(n), torch.randn(4, n)
    truth = torch.tensor([shapley.shapley_by_subsets(value_of(model, row), n) for row in inputs])
    kernel = loss_of(ShapleyLaw(), n_subsets=2**n, **ONE_LOGIT)
    target = torch.zeros(4).long()
    # up to a constant with the kernel alone, whose subsets do not fix the sum of the values
    found = trained(kernel, model, inputs, target, fresh=False)
    assert row_correlations(found, truth).min() > 0.999
    whole = ShapleyLaw(full_weight=0.5)
    fixed = loss_of(whole, n_subsets=2**n, centered=False, **ONE_LOGIT)
    found = trained(fixed, model, inputs, target, 500, fresh=False)
    assert torch.cosine_similarity(found, truth).min() > 0.99


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: LocalCorrelationLoss("tables"), ValueError, "terms must be"),
        (lambda: LocalCorrelationLoss([]), ValueError, "at least one"),
        (lambda: LocalCorrelationLoss([BernoulliLaw()]), TypeError, r"terms\[0\] must be"),
        (lambda: LocalCorrelationLoss("table", n_subsets=0), ValueError, "n_subsets must be"),
        (lambda: CorrelationTerm("bernoulli"), TypeError, "law must be"),
        (lambda: CorrelationTerm(BernoulliLaw(), 0), ValueError, "weight must be above 0"),
        (lambda: CorrelationTerm(BernoulliLaw(), output="probs"), ValueError, "output must be"),
    ],
)
def test_bad_arguments(build, error, message):
    with pytest.raises(error, match=message):
        build()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_raise(value):
    """A row of them would count as constant, with the loss 1/2."""
    model, loss = Mixed(), LocalCorrelationLoss("table")
    removals = loss.evaluate(model, torch.randn(2, N), ColumnMasker(N))
    target = torch.tensor([0, 1])
    saliency = torch.randn(2, N)
    saliency[1, 2] = value
    with pytest.raises(ValueError, match="saliency must be finite, got"):
        loss(saliency, removals, target)
    broken = removals.as_dict() | {"original": removals.original.clone().fill_(value)}
    with pytest.raises(ValueError, match="drops of centered_logit in removals must be finite"):
        loss(torch.randn(2, N), Removals.of(broken), target)
    with pytest.raises(ValueError, match="logits must be finite"):
        loss.evaluate(lambda x: model(x) * value, torch.randn(2, N), ColumnMasker(N))


def test_bad_shapes_are_named():
    model, loss = Mixed(), LocalCorrelationLoss("table")
    removals = loss.evaluate(model, torch.randn(2, N), ColumnMasker(N))
    target = torch.tensor([0, 1])
    with pytest.raises(ValueError, match="saliency must have shape"):
        loss(torch.randn(2, N + 1), removals, target)
    with pytest.raises(ValueError, match="target must be given"):
        loss(torch.randn(2, N), removals)
    one = loss_of(loss.terms[0].law).evaluate(model, torch.randn(2, N), ColumnMasker(N))
    with pytest.raises(ValueError, match="subsets of the law of term 1"):
        loss(torch.randn(2, N), one, target)
    other = loss_of(BernoulliLaw()).evaluate(model, torch.randn(2, N), ColumnMasker(N))
    with pytest.raises(ValueError, match="subsets of the law of term 0, UniformSizeLaw"):
        loss(torch.randn(2, N), other, target)
    with pytest.raises(ValueError, match="subsets of the law of term 0, BernoulliLaw"):
        LocalCorrelationLoss("paper")(torch.randn(2, N), removals, target)
    with pytest.raises(TypeError, match="removals must be a mapping"):
        Removals.of({"keep": removals.keep})
    with pytest.raises(ValueError, match="removals must have keep"):
        Removals.of(removals.as_dict() | {"laws": removals.laws[:, :2]})
    several = loss_of(BernoulliLaw(), output=lambda logits, _: logits.softmax(1))
    removals = several.evaluate(model, torch.randn(2, N), ColumnMasker(N))
    with pytest.raises(ValueError, match="output must return one scalar per row of the logits"):
        several(torch.randn(2, N), removals, target)
    with pytest.raises(ValueError, match="ranks must be given"):
        loss_of(PrefixLaw()).evaluate(model, torch.randn(2, N), ColumnMasker(N))
