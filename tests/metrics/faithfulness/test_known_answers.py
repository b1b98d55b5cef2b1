"""Models whose scores can be worked out by hand, and identities that hold for every model."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pear_lightning.explainers import Gradient, explain
from pear_lightning.masking import ColumnMasker, Masker, PatchMasker
from pear_lightning.metrics.faithfulness import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    FaithfulnessSuite,
    Infidelity,
    Insertion,
    MonotonicityCorrelation,
    NegativePerturbation,
    PositivePerturbation,
    RegionPerturbation,
)
from tests.metrics.faithfulness.cases import CASES, mlp, score
from tests.metrics.faithfulness.configurations import (
    CONFIGURATIONS,
    ON_SINGLE_FEATURES,
    ON_SUBSETS,
    make,
)

LATE = {"ends": "last", "normalize": False}


class Additive(nn.Module):
    """One output, a + Σ w_i x_i."""

    def __init__(self, weight: Tensor, offset: float) -> None:
        super().__init__()
        self.weight, self.offset = weight, offset

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs * self.weight).sum(dim=1, keepdim=True) + self.offset


@given(st.integers(0, 10**6), st.integers(2, 8), st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=12, deadline=None)
def test_contributions_to_an_additive_output(seed: int, n: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, baseline = torch.randn(2, n, generator=generator, dtype=torch.float64).to(dtype)
    inputs = torch.randn(3, n, generator=generator, dtype=torch.float64).to(dtype)
    model, masker = Additive(weight, 0.7), ColumnMasker(n, baseline=baseline)
    c = weight * (inputs - baseline)
    original, empty = model(inputs)[:, 0], model(baseline[None])[:, 0]
    ranked = c.sort(dim=1, descending=True).values
    i = torch.arange(1, n + 1)
    weighted = (ranked * (n - i + 0.5) / n).sum(dim=1)
    aopc = (ranked * (n - i + 1) / (n + 1)).sum(dim=1)
    ones, zeros = torch.ones_like(original), torch.zeros_like(original)
    exact = {
        Deletion(masker, output="logit"): original - weighted,
        PositivePerturbation(masker, output="logit"): original - weighted,
        Insertion(masker, output="logit"): empty + weighted,
        NegativePerturbation(masker, output="logit"): empty + weighted,
        RegionPerturbation(masker, output="logit"): aopc,
        RegionPerturbation(masker, output="logit", include_start=False): aopc * (n + 1) / n,
        FaithfulnessEstimate(masker, output="logit"): ones,
        MonotonicityCorrelation(masker, output="logit"): ones,
        FaithfulnessCorrelation(masker, subset_size="bernoulli", output="logit"): ones,
        FaithfulnessCorrelation(masker, subset_size=1, output="logit"): ones,
        Infidelity(masker, subset_size=0.5, normalize=False, output="logit"): zeros,
    }
    tolerance = {"rtol": 1e-4, "atol": 1e-4 if dtype == torch.float32 else 1e-6}
    for metric, expected in exact.items():
        found = metric.score(model, inputs, c, 0)
        torch.testing.assert_close(found, expected, **tolerance, msg=repr(metric))
    # another unit and an offset: cancelled by β, by a fixed size
    sevenfold = Infidelity(masker, subset_size="bernoulli", output="logit")
    torch.testing.assert_close(sevenfold.score(model, inputs, 7 * c, 0), zeros, **tolerance)
    shifted = FaithfulnessCorrelation(masker, subset_size=1, output="logit")
    torch.testing.assert_close(shifted.score(model, inputs, 3 * c + 5, 0), ones, **tolerance)
    late = Deletion(masker, output="logit", ends="last", normalize=False)
    first = model(torch.where(c == ranked[:, :1], baseline, inputs))[:, 0]  # after the first step
    torch.testing.assert_close(
        late.score(model, inputs, c, 0), original - weighted - (original + first) / (2 * n),
        **tolerance,
    )  # fmt: skip


def test_subsets_of_varying_size_see_an_offset() -> None:
    model, masker = Additive(torch.randn(6), 0.0), ColumnMasker(6)
    inputs = torch.randn(5, 6)
    c = model.weight * inputs
    metric = FaithfulnessCorrelation(masker, subset_size="bernoulli", output="logit")
    assert (metric.score(model, inputs, 2 * c + 5, 0) < 0.9).all()


@given(st.integers(0, 10**6), st.integers(2, 8))
@settings(max_examples=12, deadline=None)
def test_contributions_to_an_additive_output_are_never_beaten(seed: int, n: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, generator=generator)
    inputs, rival = torch.randn(2, 4, n, generator=generator)
    suite = FaithfulnessSuite(
        ColumnMasker(n),
        ["contributions", "rival"],
        output=lambda logits, target: logits[:, 0] + 50,  # positive, for the ratio
        n_subsets=20,
        subset_size="bernoulli",
    )
    scores = suite.score(
        Additive(weight, 0.0), inputs, {"contributions": weight * inputs, "rival": rival}, 0
    )
    for name, higher in suite.directions.items():
        best, other = scores[name]
        worse = other - best if higher else best - other
        assert (worse <= 1e-4).all(), name


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("steps", [None, 3])
def test_identities_of_any_model(kind: str, steps: int | None) -> None:
    case = CASES[kind]()
    negated = CASES[kind]()
    negated.model, negated.inputs = case.model, case.inputs
    negated.attributions = -case.attributions
    masker = case.masker
    probability = torch.tensor(
        [case.functions(i)[0](frozenset()) for i in range(len(case))], dtype=torch.float64
    )
    deletion = score(Deletion(masker, steps), case)
    assert torch.equal(score(PositivePerturbation(masker, steps), case), deletion)
    torch.testing.assert_close(
        score(NegativePerturbation(masker, steps), case), score(Insertion(masker, steps), case)
    )
    torch.testing.assert_close(score(IROF(masker, steps), case), 1 - deletion / probability)
    torch.testing.assert_close(
        score(Deletion(masker, steps, value="ratio"), case), deletion / probability
    )
    if steps is None or kind != "texts":  # the step must divide the number of features
        torch.testing.assert_close(score(Insertion(masker, steps), negated), deletion)
        torch.testing.assert_close(score(NegativePerturbation(masker, steps), negated), deletion)
    if steps is not None and kind != "texts":
        width = (steps - 1) / steps
        torch.testing.assert_close(
            score(IROF(masker, steps, **LATE), case),
            width - score(Deletion(masker, steps, **LATE), case) / probability,
        )


class Constant(nn.Module):
    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, inputs: Tensor, **kwargs: Tensor) -> Tensor:
        return self.logits.expand(len(inputs), -1)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_constant_model(name: str, kind: str) -> None:
    case = CASES[kind]()
    case.model = Constant([2.0, 1.0, 1.0])
    probability = case.model(case.inputs).softmax(1)[0, 0]
    metric = make(name, case.masker)
    metric.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    if name in ON_SINGLE_FEATURES or name.startswith(("correlation", "infidelity, DeepFaith")):
        assert metric.compute() == 0
        assert metric.undefined_share() == 1
        return
    assert metric.undefined_share() == 0
    if name == "infidelity, not normalized":
        assert metric.compute() > 0
    elif name.startswith(("region", "irof", "infidelity")):
        assert metric.compute() == 0
    elif name.endswith("DeepFaith"):  # a curve without its first step has less area
        plain = CONFIGURATIONS[name][2]
        areas = [
            plain(lambda _: probability.item(), lambda _: True, case.saliency(i), [])
            for i in range(len(case))
        ]
        torch.testing.assert_close(metric.compute(), torch.tensor(areas).mean())
        assert metric.compute() < probability * 0.9
    else:
        height = torch.tensor(1.0) if name.endswith("Chefer") else probability
        torch.testing.assert_close(metric.compute(), height)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_constant_saliency(name: str, kind: str) -> None:
    case = CASES[kind]()
    n = case.masker.bind(case.inputs, case.kwargs).n_features
    case.attributions = torch.full((len(case), n), 0.1, dtype=torch.float64)
    metric = make(name, case.masker)
    values = score(metric, case)
    assert values.isfinite().all()
    metric.update(case.model, case.inputs, case.attributions, forward_kwargs=case.kwargs)
    fixed = ("correlation", "correlation, share", "estimate", "monotonicity")
    if name in fixed:
        assert (values == 0).all()
        assert metric.undefined_share() == 1
    elif name not in ON_SUBSETS and "DeepFaith" not in name:
        assert metric.undefined_share() == 0


def test_a_probability_of_one() -> None:
    case = CASES["table"]()
    case.model = Constant([1000.0, 0.0, 0.0])
    assert (score(Insertion(case.masker), case) == 1).all()
    assert (score(Deletion(case.masker), case) == 1).all()
    short = score(Deletion(case.masker, 4, ends="last", normalize=False), case)
    assert (short < 1).all()


def test_a_ratio_to_nothing_is_undefined() -> None:
    case = CASES["table"]()
    case.model = Constant([-50.0, 0.0, 0.0])
    for metric in (IROF(case.masker), Deletion(case.masker, value="ratio")):
        metric.update(case.model, case.inputs, case.attributions, 0)
        assert metric.compute() == 0
        assert metric.undefined_share() == 1
        metric.update(case.model, case.inputs, case.attributions, 1)
        assert metric.undefined_share() == 0.5


def test_an_interaction() -> None:
    def product(inputs: Tensor) -> Tensor:
        return (inputs[:, 0] * inputs[:, 1])[:, None]

    masker, inputs = ColumnMasker(3), torch.tensor([[2.0, 3.0, 5.0]])
    both, one = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    for saliency in (both, one):
        deletion = Deletion(masker, output="logit").score(product, inputs, saliency, 0)
        torch.testing.assert_close(deletion, torch.tensor([6 / 6]))  # 6, then 0, 0, 0
    insertion = Insertion(masker, output="logit")
    torch.testing.assert_close(insertion.score(product, inputs, both, 0), torch.tensor([9 / 3]))
    estimate = FaithfulnessEstimate(masker, output="logit")
    torch.testing.assert_close(estimate.score(product, inputs, both, 0), torch.ones(1))
    torch.testing.assert_close(estimate.score(product, inputs, one, 0), torch.tensor([0.5]))


def test_a_prediction_that_flips_at_a_known_step() -> None:
    def model(inputs: Tensor) -> Tensor:
        return torch.stack([inputs.sum(dim=1), torch.full_like(inputs[:, 0], 2.5)], dim=1)

    masker, inputs = ColumnMasker(4), torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    order = torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    p = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0]).sub(2.5).sigmoid()  # class 0 down to 3 features
    frozen = PositivePerturbation(masker, freeze=True).score(model, inputs, order)
    torch.testing.assert_close(frozen[0], (p[0] / 2 + p[1] + p[2] + p[2] + p[2] / 2) / 4)
    accuracy = PositivePerturbation(masker, value="accuracy").score(model, inputs, order)
    torch.testing.assert_close(accuracy, torch.tensor([(0.5 + 1) / 4]))
    inner = PositivePerturbation(masker, value="accuracy", ends="none")
    torch.testing.assert_close(inner.score(model, inputs, order), torch.tensor([0.5 / 2]))


def test_ties_go_by_the_lower_index() -> None:
    model, inputs = Additive(torch.tensor([4.0, 2.0, 1.0]), 0.0), torch.ones(1, 3)
    metric = Deletion(ColumnMasker(3), output="logit")
    tied = metric.score(model, inputs, torch.zeros(1, 3), 0)
    assert torch.equal(tied, metric.score(model, inputs, torch.tensor([[3.0, 2.0, 1.0]]), 0))
    # inserting the most relevant first is removing the least relevant first, ties included
    inserted = Insertion(ColumnMasker(3), output="logit").score(model, inputs, torch.zeros(1, 3), 0)
    best = torch.tensor([[3.0, 2.0, 1.0]])
    expected = Insertion(ColumnMasker(3), output="logit").score(model, inputs, best, 0)
    assert torch.equal(inserted, expected)


class Planted(nn.Module):
    """Three of twelve patches decide; the others move the gradient and nothing else.

    At the values 0 and 1 that pixels have, x (1 - x) is 0, and its slope is not.
    """

    evidence = (1, 4, 10)

    def __init__(self) -> None:
        super().__init__()
        self.ripple = nn.Parameter(torch.randn(12))

    def forward(self, inputs: Tensor) -> Tensor:
        pixels = inputs.flatten(1)
        evidence = pixels[:, list(self.evidence)].sum(dim=1)
        ripple = (self.ripple * pixels * (1 - pixels)).sum(dim=1)
        score = 2 * evidence - 3 + ripple
        return torch.stack([-score, score], dim=1) / 2


def test_planted_evidence_ranks_explanations_on_every_metric() -> None:
    torch.manual_seed(1)
    model = Planted()
    inputs = torch.randint(2, (40, 1, 3, 4)).float()
    mask = torch.zeros(1, 1, 3, 4)
    mask.view(-1)[list(Planted.evidence)] = 1
    mask = mask.expand_as(inputs)
    inputs = torch.maximum(inputs, mask)
    target = torch.ones(40, dtype=torch.long)
    _, (gradient,) = explain(model, inputs, target, [Gradient()])
    explanations = {
        "mask": mask,
        "gradient": gradient.detach(),
        "random": torch.randn_like(inputs),
        "inverted": 1 - mask,
    }
    suite = FaithfulnessSuite(PatchMasker(1), list(explanations), n_steps=None, subset_size=1)
    suite.update(model, inputs, explanations, target)
    means = suite.compute()
    for name, higher in suite.directions.items():
        values = [means[f"{explanation}/{name}"] for explanation in explanations]
        assert values == sorted(values, reverse=higher), name
        assert len(set(values)) == 4, name


@given(st.integers(0, 10**6), st.integers(2, 7), st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=8, deadline=None)
def test_what_does_not_change_a_score(seed: int, n: int, dtype: torch.dtype) -> None:
    torch.manual_seed(seed)
    model, masker = mlp(n, dtype=dtype), ColumnMasker(n, baseline=0.3)
    inputs, s = torch.randn(2, 3, n, dtype=dtype)

    def values(name: str, saliency: Tensor) -> Tensor:
        return make(name, masker, **small(name, n)).score(model, inputs, saliency)

    for name in ("deletion", "insertion", "positive", "negative", "region", "irof"):
        for same in (s.exp(), 1e-20 * s, s.atan() - 3):
            assert torch.equal(values(name, same), values(name, s)), name
    for same in (-s, s.sign() * s.square(), 1e-20 * s):
        torch.testing.assert_close(values("monotonicity", same), values("monotonicity", s))
    for name in ("correlation", "estimate", "infidelity, DeepFaith", "infidelity"):
        torch.testing.assert_close(values(name, 1e-10 * s), values(name, s), rtol=1e-3, atol=1e-5)
    for name in ("correlation", "estimate", "infidelity, DeepFaith"):
        torch.testing.assert_close(values(name, -s), -values(name, s), rtol=1e-3, atol=1e-5)


def small(name: str, n: int) -> dict[str, int]:
    """A size of subsets that few features allow."""
    return {"subset_size": 1} if name == "correlation" and n < 4 else {}


@given(st.integers(0, 10**6), st.integers(2, 7))
@settings(max_examples=8, deadline=None)
def test_permuting_the_features_changes_nothing(seed: int, n: int) -> None:
    torch.manual_seed(seed)
    model, permuted = mlp(n), mlp(n)
    order = torch.randperm(n)
    permuted.load_state_dict(model.state_dict())
    weight: nn.Parameter = permuted.get_submodule("0").weight  # type: ignore[assignment]
    weight.data = weight.data[:, order]
    inputs, s = torch.randn(2, 3, n, dtype=torch.float64)
    masker: Masker = ColumnMasker(n)
    for name in CONFIGURATIONS:
        if name in ON_SUBSETS:  # the subsets depend on the values at each place
            continue
        metric = make(name, masker)
        torch.testing.assert_close(
            metric.score(permuted, inputs[:, order], s[:, order]),
            metric.score(model, inputs, s),
            rtol=1e-6, atol=1e-7, msg=name,
        )  # fmt: skip
