"""Every metric on a table, images and texts equals the plain transcription of its formula."""

import pytest
import torch
from scipy import stats

from pear_lightning.metrics.faithfulness import (
    Deletion,
    FaithfulnessEstimate,
    MonotonicityCorrelation,
    NegativePerturbation,
)
from tests.metrics.faithfulness.cases import CASES, Case, Recorder, score
from tests.metrics.faithfulness.configurations import (
    CONFIGURATIONS,
    ON_SUBSETS,
    SUBSETS,
    make,
)
from tests.reference import correlation
from tests.reference import faithfulness as reference

NOTHING: frozenset[int] = frozenset()
on_every_case = pytest.mark.parametrize("kind", CASES)
every_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def subsets_seen(name: str, case: Case, i: int) -> list[frozenset[int]]:
    """The subsets that a metric removes from sample i, read off what the model gets to see."""
    recorder = Recorder(case.model)
    row = case.rows([i])
    row.model = recorder
    score(make(name, case.masker), row, target=case.target[[i]])
    copies = torch.cat(recorder.seen)[-SUBSETS:]
    return [case.removed(i, copy) for copy in copies]


@on_every_case
@every_configuration
def test_equals_the_formula(name: str, kind: str) -> None:
    case = CASES[kind]()
    _, _, plain = CONFIGURATIONS[name]
    found = score(make(name, case.masker), case)
    for i in range(len(case)):
        f, hit = case.functions(i)
        subsets = subsets_seen(name, case, i) if name in ON_SUBSETS else []
        expected = plain(f, hit, case.saliency(i), subsets)
        assert found[i].item() == pytest.approx(expected, rel=1e-9, abs=1e-10)


@on_every_case
@every_configuration
def test_equals_the_formula_for_another_class(name: str, kind: str) -> None:
    case = CASES[kind]().rows([0, 1])
    _, _, plain = CONFIGURATIONS[name]
    target = (case.target + 1) % 3
    found = score(make(name, case.masker), case, target=target)
    for i in range(len(case)):
        f, hit = case.functions(i, int(target[i]))
        subsets = subsets_seen(name, case, i) if name in ON_SUBSETS else []
        expected = plain(f, hit, case.saliency(i), subsets)
        assert found[i].item() == pytest.approx(expected, rel=1e-9, abs=1e-10)


@on_every_case
@pytest.mark.parametrize("steps", [1, 2, 100, None])
def test_any_number_of_steps(kind: str, steps: int | None) -> None:
    case = CASES[kind]()
    found = [
        score(cls(case.masker, n_steps=steps), case) for cls in (Deletion, NegativePerturbation)
    ]
    for i in range(len(case)):
        f, _ = case.functions(i)
        s = case.saliency(i)
        expected = [
            reference.perturbation(f, s, steps, least_first=least) for least in (False, True)
        ]
        assert [each[i].item() for each in found] == pytest.approx(expected, rel=1e-9)


@on_every_case
def test_subsets_follow_their_law(kind: str) -> None:
    case = CASES[kind]()
    for i in range(len(case)):
        n = len(case.elements(i))
        assert {len(each) for each in subsets_seen("correlation", case, i)} == {2}
        assert {len(each) for each in subsets_seen("correlation, share", case, i)} == {round(n / 2)}
        drawn = subsets_seen("infidelity, DeepFaith", case, i)
        assert len(set(drawn)) > min(2**n, SUBSETS) / 2
    chosen = [case.rows([0])] if kind == "table" else []
    for one in chosen:
        recorder = Recorder(one.model)
        one.model = recorder
        for size, share in ((2, 2 / 6), ("bernoulli", 0.5)):
            metric = make("correlation", one.masker, subset_size=size, n_subsets=2000)
            score(metric, one)
            copies = torch.cat(recorder.seen)[-2000:]
            rates = torch.stack([copies[:, c] == 0 for c in (0, 1, 2, 4)]).double().mean(dim=1)
            torch.testing.assert_close(rates, torch.full_like(rates, share), atol=0.05, rtol=0)


def test_a_seed_chooses_other_subsets() -> None:
    case = CASES["table"]()
    scores = [score(make("correlation", case.masker, seed=seed), case) for seed in (0, 1, 0)]
    assert torch.equal(scores[0], scores[2])
    assert (scores[0] != scores[1]).all()


@on_every_case
@every_configuration
def test_pooled_attributions_are_as_good(name: str, kind: str) -> None:
    case = CASES[kind]()
    saliency = case.masker.bind(case.inputs, case.kwargs).pool(case.attributions)
    pooled = CASES[kind]()
    pooled.model, pooled.inputs, pooled.attributions = case.model, case.inputs, saliency
    metric = make(name, case.masker)
    assert torch.equal(score(metric, pooled), score(metric, case))


@on_every_case
@every_configuration
def test_mean_over_batches(name: str, kind: str) -> None:
    case = CASES[kind]()
    metric = make(name, case.masker)
    for rows in (case.rows([0, 1]), case.rows([2])):
        metric.update(rows.model, rows.inputs, rows.attributions, forward_kwargs=rows.kwargs)
    expected = score(metric, case.rows([0, 1, 2])).mean().float()
    torch.testing.assert_close(metric.compute(), expected)
    assert metric.compute().dtype == torch.float32
    assert metric.undefined_share() == 0


@pytest.mark.parametrize("output", ["logit", "log_prob", "margin"])
def test_other_outputs(output: str) -> None:
    case = CASES["table"]()
    metric = make("deletion", case.masker, output=output)
    found = score(metric, case)

    def of_logits(logits: torch.Tensor, target: int) -> float:
        if output == "log_prob":
            return logits.log_softmax(0)[target].item()
        others = torch.cat([logits[:target], logits[target + 1 :]])
        return (logits[target] - (others.max() if output == "margin" else 0)).item()

    for i in range(len(case)):
        target = int(case.target[i])

        def f(removed: frozenset[int], i: int = i, target: int = target) -> float:
            with torch.no_grad():
                logits = case.model(case.without(i, removed)[None])[0]
            return of_logits(logits, target)

        expected = reference.deletion(f, case.saliency(i), 4)
        assert found[i].item() == pytest.approx(expected, rel=1e-9)
        function = make("deletion", case.masker, output=lambda z, t: z.gather(1, t[:, None])[:, 0])
        if output == "logit":
            assert torch.equal(score(function, case), found)


@pytest.mark.parametrize("draws", [1, 3])
def test_draws_of_a_random_baseline(draws: int) -> None:
    case = CASES["table"]()
    masker = case.masker.with_baseline("uniform")
    groups = [[place[0] for place in feature] for feature in case.elements(0)]
    metrics = [
        cls(masker, n_draws=draws) for cls in (FaithfulnessEstimate, MonotonicityCorrelation)
    ]
    for i in range(len(case)):
        row = case.rows([i])
        row.model = recorder = Recorder(case.model)
        found = [score(metric, row, target=case.target[[i]]) for metric in metrics]
        original = case.inputs[i]
        copies = torch.cat(recorder.seen)
        replaced = (copies != original).tolist()  # by which columns changed
        with torch.no_grad():
            outputs = case.model(copies).softmax(dim=1)[:, case.target[i]].tolist()
        drops: list[list[float]] = [[] for _ in groups]
        for changed, output in zip(replaced, outputs, strict=True):
            columns = [column for column, each in enumerate(changed) if each]
            if columns:
                drops[groups.index(columns)].append(outputs[0] - output)
        # both metrics were run, and had the same draws, all different
        assert [len(each) for each in drops] == [2 * draws] * len(groups)
        assert all(len({round(drop, 9) for drop in each}) == draws for each in drops)
        s = case.saliency(i)
        means = [sum(each) / len(each) for each in drops]
        squares = [sum(drop**2 for drop in each) / len(each) for each in drops]
        ranks = (stats.rankdata([abs(x) for x in s]), stats.rankdata(squares))
        assert found[0].item() == pytest.approx(correlation.pearson(s, means), rel=1e-6)
        assert found[1].item() == pytest.approx(correlation.pearson(*ranks), rel=1e-6)


def test_every_random_subset_has_a_draw_of_its_own() -> None:
    case = CASES["table"]().rows([0])
    case.model = recorder = Recorder(case.model)
    masker = case.masker.with_baseline("uniform")
    score(make("correlation", masker, n_subsets=200), case)
    values = torch.cat(recorder.seen)[:, 0]
    replaced = values[values != case.inputs[0, 0]]
    assert 30 < len(replaced.unique()) == len(replaced)
