import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pear_lightning.masking import ColumnMasker, PatchMasker
from pear_lightning.metrics.faithfulness import Deletion, FaithfulnessSuite, Insertion
from tests.metrics.faithfulness.cases import CASES, Case, Recorder, images, mlp, score, table
from tests.metrics.faithfulness.configurations import CONFIGURATIONS, make

TEN = {
    "faithfulness_correlation",
    "faithfulness_estimate",
    "monotonicity_correlation",
    "region_perturbation",
    "insertion",
    "deletion",
    "negative_perturbation",
    "positive_perturbation",
    "irof",
    "infidelity",
}
LOWER_IS_BETTER = {"deletion", "positive_perturbation", "infidelity"}


def explanations(case: Case, count: int) -> dict[str, Tensor]:
    return {f"e{i}": torch.randn_like(case.attributions) for i in range(count)}


def suite_score(suite: FaithfulnessSuite, case: Case, attributions: Any) -> dict[str, Tensor]:
    return suite.score(case.model, case.inputs, attributions, forward_kwargs=case.kwargs)


@pytest.mark.parametrize("kind", CASES)
def test_equals_each_metric_alone(kind: str) -> None:
    case = CASES[kind]()
    members = {name: make(name, case.masker) for name in CONFIGURATIONS}
    given = explanations(case, 3)
    suite = FaithfulnessSuite(case.masker, list(given), members)
    scores = suite_score(suite, case, given)
    assert list(scores) == list(members)
    for name, metric in members.items():
        for row, attributions in zip(scores[name], given.values(), strict=True):
            case.attributions = attributions
            torch.testing.assert_close(row, score(metric, case), rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("kind", CASES)
def test_explanations_together_are_as_each_alone(kind: str) -> None:
    case = CASES[kind]()
    given = explanations(case, 14)
    options: dict[str, Any] = {"n_steps": 4, "n_subsets": 20, "subset_size": 0.5}
    together = suite_score(FaithfulnessSuite(case.masker, list(given), **options), case, given)
    alone = FaithfulnessSuite(case.masker, **options)
    assert set(together) == TEN
    for number, attributions in enumerate(given.values()):
        for name, values in suite_score(alone, case, attributions).items():
            assert values.shape == (1, len(case))
            torch.testing.assert_close(
                together[name][number], values[0], rtol=1e-9, atol=1e-12, msg=name
            )


def test_order_of_the_explanations_does_not_matter() -> None:
    case = table()
    given = explanations(case, 3)
    turned = dict(reversed(given.items()))
    first, last = (FaithfulnessSuite(case.masker, list(each)) for each in (given, turned))
    scores, flipped = suite_score(first, case, given), suite_score(last, case, turned)
    for name, values in scores.items():
        torch.testing.assert_close(flipped[name].flip(0), values, rtol=1e-9, atol=1e-12)
        # a mapping is read by name
        assert torch.equal(suite_score(first, case, turned)[name], values)


class Sum(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        total = inputs.flatten(1).sum(dim=1)
        return torch.stack([total, -total], dim=1)


def evaluations(metric: Any, inputs: Tensor, attributions: Any) -> float:
    """Rows that go through the model, for each sample."""
    recorder = Recorder(Sum())
    metric.update(recorder, inputs, attributions)
    return recorder.count / len(inputs)


def test_model_evaluations_of_fourteen_explanations_on_ten_metrics() -> None:
    steps, subsets, n, count = 48, 100, 196, 14
    inputs = torch.rand(2, 1, 14, 14)
    masker = PatchMasker(1)
    given = {f"e{i}": torch.randn_like(inputs) for i in range(count)}
    suite = FaithfulnessSuite(masker, list(given), n_steps=steps, n_subsets=subsets)
    # the sample, the sample without any feature, and what two ranked and two other probes need
    expected = 2 + subsets + n + count * 2 * (steps - 1)
    assert evaluations(suite, inputs, given) == expected == 1614
    # as much for two metrics that read the same probes as for one
    alone = Deletion(masker, steps)
    pair = FaithfulnessSuite(masker, metrics=[Deletion(masker, steps), Insertion(masker, steps)])
    assert evaluations(alone, inputs, given["e0"]) == steps + 1
    assert evaluations(pair, inputs, given["e0"]) == 2 + 2 * (steps - 1)
    # one by one
    separately = sum(
        evaluations(type(metric)(masker, **size), inputs, given["e0"])
        for metric in suite.metrics.values()
        for size in [_size(metric, steps, subsets)]
    )
    assert separately == 6 * (steps + 1) + 2 * (subsets + 1) + 2 * (n + 1)
    assert count * separately > 7 * expected


def _size(metric: Any, steps: int, subsets: int) -> dict[str, int]:
    if metric.metric_name in ("faithfulness_correlation", "infidelity"):
        return {"n_subsets": subsets}
    if metric.metric_name in ("faithfulness_estimate", "monotonicity_correlation"):
        return {}
    return {"n_steps": steps}


def test_a_random_baseline_is_drawn_once_for_all() -> None:
    inputs = torch.rand(2, 1, 4, 4)
    given = {"a": torch.randn_like(inputs), "b": torch.randn_like(inputs)}
    suite = FaithfulnessSuite(PatchMasker(1, baseline="uniform"), ["a", "b"], n_steps=8)
    assert evaluations(suite, inputs, given) == 2 + 100 + 10 * 16 + 2 * 2 * 7


@pytest.mark.parametrize("kind", CASES)
def test_settings_of_deepfaith(kind: str) -> None:
    case = CASES[kind]()
    suite = FaithfulnessSuite.deepfaith(
        case.masker, n_steps=4, n_subsets=12, subset_size=2, insertion_baseline=case.baseline
        if kind != "texts" else None,
    )  # fmt: skip
    names = {
        "faithfulness_correlation": "correlation",
        "faithfulness_estimate": "estimate, DeepFaith",
        "monotonicity_correlation": "monotonicity, DeepFaith",
        "region_perturbation": "region, DeepFaith",
        "insertion": "insertion, DeepFaith",
        "deletion": "deletion, DeepFaith",
        "negative_perturbation": "negative, DeepFaith",
        "positive_perturbation": "positive, DeepFaith",
        "irof": "irof, DeepFaith",
        "infidelity": "infidelity, DeepFaith",
    }
    scores = suite_score(suite, case, case.attributions)
    assert set(scores) == TEN
    assert {name for name, up in suite.directions.items() if not up} == {
        "deletion",
        "positive_perturbation",
    }
    for name, configuration in names.items():
        alone = score(make(configuration, case.masker), case)
        torch.testing.assert_close(scores[name][0], alone, rtol=1e-9, atol=1e-12, msg=name)


def test_metrics_with_maskers_of_their_own() -> None:
    case = images()
    fine = PatchMasker(1)
    suite = FaithfulnessSuite(
        case.masker,
        metrics={
            "patches": Deletion(case.masker, 4),
            "pixels": Deletion(fine, 4),
            "into a blur": Insertion(fine, 4, baseline=0.7),
        },
    )
    scores = suite_score(suite, case, case.attributions)
    for name, metric in suite.metrics.items():
        torch.testing.assert_close(scores[name][0], score(metric, case), rtol=1e-9, atol=1e-12)


def test_directions_names_and_table() -> None:
    case = table()
    given = explanations(case, 2)
    suite = FaithfulnessSuite(case.masker, list(given), n_steps=4)
    assert {name for name, up in suite.directions.items() if not up} == LOWER_IS_BETTER
    suite.update(case.model, case.inputs, given)
    means = suite.compute()
    assert set(means) == {f"{e}/{name}" for e in given for name in TEN}
    scores = suite_score(suite, case, given)
    for number, e in enumerate(given):
        for name in TEN:
            mean = means[f"{e}/{name}"]
            assert mean.dtype == torch.float32
            torch.testing.assert_close(mean, scores[name][number].mean().float())
    lines = suite.to_table().partition("\n\n")[0].splitlines()
    assert lines[0].count("↓") == 3
    assert [line.split()[0] for line in lines[1:]] == list(given)
    single = FaithfulnessSuite(case.masker)
    single.update(case.model, case.inputs, case.attributions)
    assert set(single.compute()) == TEN


def test_undefined_scores_and_ties_are_counted() -> None:
    model, masker = mlp(4, dtype=torch.float32), ColumnMasker(4)
    inputs = torch.rand(2, 4)
    constant = torch.ones(2, 4)
    some = torch.tensor([[1.0, 1.0, 0.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    suite = FaithfulnessSuite(masker, ["constant", "some"])
    suite.update(model, inputs, {"constant": constant, "some": some})
    undefined = suite.undefined_share()
    correlations = {
        "faithfulness_correlation",
        "faithfulness_estimate",
        "monotonicity_correlation",
    }
    for name in TEN:
        assert undefined[f"constant/{name}"] == (name in correlations), name
        assert undefined[f"some/{name}"] == 0
    assert suite.tied_share() == {"constant": 1, "some": 0.25}
    suite.reset()
    suite.update(model, inputs, {"constant": some, "some": some})
    assert suite.tied_share() == {"constant": 0.25, "some": 0.25}


def test_pickle_clone_and_reset() -> None:
    case = table()
    given = explanations(case, 2)
    suite = FaithfulnessSuite(case.masker, list(given), n_steps=4)
    suite.update(case.model, case.inputs, given)
    expected = suite.compute()
    for copy in (pickle.loads(pickle.dumps(suite)), suite.clone()):
        assert copy.compute() == expected
        copy.reset()
        copy.update(case.model, case.inputs, given)
        assert copy.compute() == expected
    assert suite.compute() == expected


def test_errors() -> None:
    case = table()
    given = explanations(case, 2)
    for wrong in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="names must be one or more different names"):
            FaithfulnessSuite(case.masker, wrong)
    with pytest.raises(ValueError, match="metrics must hold at least one metric"):
        FaithfulnessSuite(case.masker, metrics=[])
    with pytest.raises(
        ValueError, match="metrics must have different names, got two metrics of a kind"
    ):
        FaithfulnessSuite(case.masker, metrics=[Deletion(case.masker), Deletion(case.masker, 3)])
    with pytest.raises(TypeError, match="must be a faithfulness metric"):
        FaithfulnessSuite(case.masker, metrics={"a": nn.Linear(1, 1)})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="must have the output of the suite, got output='logit'"):
        FaithfulnessSuite(case.masker, metrics=[Deletion(case.masker, output="logit")])
    several = FaithfulnessSuite(case.masker, output=lambda logits, target: logits[:, :1])
    with pytest.raises(ValueError, match="output must return one scalar per row of the logits"):
        several.update(case.model, case.inputs, given["e0"])
    suite = FaithfulnessSuite(case.masker, ["e0", "other"])
    with pytest.raises(
        ValueError, match=r"attributions must have the names .*, got \['e0', 'e1'\]"
    ):
        suite.update(case.model, case.inputs, given)
    with pytest.raises(ValueError, match="attributions must have the names"):
        suite.update(case.model, case.inputs, given["e0"])
    with pytest.raises(
        ValueError, match="attributions must be one tensor for a suite without names"
    ):
        FaithfulnessSuite(case.masker).update(case.model, case.inputs, given)
    given["other"] = given.pop("e1") * torch.nan
    with pytest.raises(ValueError, match=r"attributions\['other'\] must be finite, got 28 NaN"):
        suite.update(case.model, case.inputs, given)
    assert suite._state("count") == 0


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_without_samples() -> None:
    case = table()
    suite = FaithfulnessSuite(case.masker)
    suite.update(case.model, case.inputs[:0], case.attributions[:0])
    assert all(value.isnan() for value in suite.compute().values())


def test_metrics_by_name_are_those_of_the_ten() -> None:
    whole = FaithfulnessSuite(ColumnMasker(6), n_steps=3, n_subsets=7, subset_size=2)
    chosen = FaithfulnessSuite(
        ColumnMasker(6), metrics=["infidelity", "deletion"], n_steps=3, n_subsets=7, subset_size=2
    )
    model, inputs, attributions = mlp(6).float(), torch.rand(4, 6), torch.rand(4, 6)
    scores = [each.score(model, inputs, attributions) for each in (whole, chosen)]
    assert list(scores[1]) == ["infidelity", "deletion"]
    for name, values in scores[1].items():
        torch.testing.assert_close(values, scores[0][name])
    mixed = FaithfulnessSuite(ColumnMasker(6), metrics=["deletion", Insertion(ColumnMasker(6), 3)])
    assert list(mixed.metrics) == ["deletion", "insertion"]
    with pytest.raises(ValueError, match=r"metrics must be names among .*, got \['accuracy'\]"):
        FaithfulnessSuite(ColumnMasker(6), metrics=["deletion", "accuracy"])
    with pytest.raises(TypeError, match=r"metrics must be a sequence, .*; give \['deletion'\]"):
        FaithfulnessSuite(ColumnMasker(6), metrics="deletion")


def test_metrics_alone_have_the_defaults_of_the_suite() -> None:
    suite = FaithfulnessSuite(ColumnMasker(5))
    assert set(suite.metrics) == TEN
    for metric in suite.metrics.values():
        alone = type(metric)(ColumnMasker(5))
        assert alone.probe == metric.probe
        plain = [
            name for name, value in vars(metric).items() if isinstance(value, int | float | str)
        ]
        public = [name for name in plain if not name.startswith("_")]
        assert {name: getattr(alone, name) for name in public} == {
            name: getattr(metric, name) for name in public
        }
