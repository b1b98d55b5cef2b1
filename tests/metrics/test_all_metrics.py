"""What all public metrics share: exact states, which no cast touches, and what they refuse."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from pear_lightning import metrics
from pear_lightning.explainers import Gradient
from pear_lightning.masking import ColumnMasker
from tests.metrics.faithfulness.cases import mlp

N = 6
MODEL = mlp(N)
PAIR = ("attributions_a", "attributions_b")
MASKED, REGION = ("attributions", "mask"), ("attributions", "region")
RELEVANCE, REFERENCE = ("scores", "relevance"), ("scores", "reference")
SELECTED, OF_MODEL = ("selected", "relevance"), ("model", "inputs", "attributions")
# how every public metric is made, and what it is updated with
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "AgreementMatrix": ({"names": ["a", "b"], "k": 2}, ("pair",)),
    "CommonShare": ({"num_classes": N}, ("logits",)),
    "FeatureAgreement": ({"k": 2}, PAIR),
    "RankAgreement": ({"k": 2}, PAIR),
    "SignAgreement": ({"k": 2}, PAIR),
    "SignedRankAgreement": ({"k": 2}, PAIR),
    "PairwiseRankAgreement": ({}, PAIR),
    "RankCorrelation": ({}, PAIR),
    "AttributionInside": ({}, MASKED),
    "AttributionOutside": ({}, MASKED),
    "WrongReason": ({}, MASKED),
    "PointingGame": ({}, REGION),
    "RelevanceMassAccuracy": ({}, REGION),
    "RelevanceRankAccuracy": ({}, REGION),
    "PrecisionAtK": ({"k": 2}, RELEVANCE),
    "RelevanceAUROC": ({}, RELEVANCE),
    "RelevanceAveragePrecision": ({}, RELEVANCE),
    "ImportanceKendall": ({}, REFERENCE),
    "ImportanceSpearman": ({}, REFERENCE),
    "TopKOverlap": ({"k": 2}, REFERENCE),
    "ImportanceStability": ({"of": "spearman"}, ("scores",)),
    "FalseDiscoveryRate": ({}, SELECTED),
    "TrueDiscoveryRate": ({}, SELECTED),
    "FaithfulnessSuite": (
        {"masker": ColumnMasker(N), "names": ["a", "b"]},
        (*OF_MODEL[:2], "pair"),
    ),
    "MaxSensitivity": ({"explainer": Gradient(), "n_samples": 2}, OF_MODEL[:2]),
    **{
        name: ({"masker": ColumnMasker(N)}, OF_MODEL)
        for name in (
            "Deletion",
            "FaithfulnessCorrelation",
            "FaithfulnessEstimate",
            "IROF",
            "Infidelity",
            "Insertion",
            "MonotonicityCorrelation",
            "NegativePerturbation",
            "PositivePerturbation",
            "RegionPerturbation",
        )
    },
}
every_metric = pytest.mark.parametrize("name", CASES)


def make(name: str) -> Any:
    return getattr(metrics, name)(**CASES[name][0])


def batches(name: str) -> list[list[Any]]:
    """Arguments of three updates."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(3):
        rows = torch.randn(5, 5, N, generator=generator)
        values = {
            "attributions": rows[0],
            "attributions_a": rows[0],
            "attributions_b": rows[1],
            "inputs": rows[2].double(),
            "logits": rows[0],
            "mask": rows[3] > 0.3,
            "model": MODEL,
            "pair": {"a": rows[0], "b": rows[1]},
            "reference": rows[1],
            "region": rows[3] > 0.3,
            "relevance": torch.arange(N) % 2 == 0,
            "scores": rows[0],
            "selected": rows[0] > 0,
        }
        found.append([values[argument] for argument in CASES[name][1]])
    return found


def states(metric: Metric) -> dict[str, Any]:
    return {state: getattr(metric, state) for state in metric._defaults}


def assert_same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


CASTS: dict[str, Callable[[Any], object]] = {
    "set_dtype float16": lambda metric: metric.set_dtype(torch.float16),
    "set_dtype bfloat16": lambda metric: metric.set_dtype(torch.bfloat16),
    "set_dtype float32": lambda metric: metric.set_dtype(torch.float32),
    "set_dtype float64": lambda metric: metric.set_dtype(torch.float64),
    "set_dtype by name": lambda metric: metric.set_dtype("torch.HalfTensor"),
    "half": lambda metric: metric.half(),
    "float": lambda metric: metric.float(),
    "double": lambda metric: metric.double(),
    "bfloat16": lambda metric: metric.bfloat16(),
    "type": lambda metric: metric.type(torch.float16),
    "to": lambda metric: metric.to(torch.float16),
    "of a module": lambda metric: torch.nn.ModuleList([metric]).half(),
    "of a collection": lambda metric: MetricCollection([metric]).set_dtype(torch.float16),
}


def test_every_public_metric_is_here() -> None:
    public = [getattr(metrics, name) for name in metrics.__all__]
    assert set(CASES) == {
        each.__name__ for each in public if isinstance(each, type) and issubclass(each, Metric)
    }


@every_metric
def test_states_are_integers(name: str) -> None:
    metric = make(name)
    for arguments in batches(name):
        metric.update(*arguments)
    for state in states(metric).values():
        for tensor in [state] if isinstance(state, Tensor) else state:
            assert not tensor.is_floating_point()


@every_metric
def test_casts_do_not_touch_the_states(name: str) -> None:
    plain = make(name)
    for arguments in batches(name):
        plain.update(*arguments)
    expected, expected_states = plain.compute(), states(plain)
    for description, cast in CASTS.items():
        metric = make(name)
        cast(metric)
        for _ in range(2):  # afresh, and after a reset
            for arguments in batches(name):
                metric.update(*arguments)
                cast(metric)
            try:
                assert_same(states(metric), expected_states)
                assert_same(metric.compute(), expected)
            except AssertionError as error:
                error.add_note(description)
                raise
            metric.reset()


@every_metric
@pytest.mark.parametrize("other", [lambda tensor: tensor.numpy(), lambda tensor: tensor.tolist()])
def test_what_is_no_tensor_is_refused_by_name(name: str, other: Callable[[Tensor], Any]) -> None:
    metric = make(name)
    arguments = batches(name)[0]
    for i, (argument, value) in enumerate(zip(CASES[name][1], arguments, strict=True)):
        if isinstance(value, Tensor):
            changed: Any = other(value)
        elif argument == "pair":
            argument, changed = "b", {**value, "b": other(value["b"])}
        else:
            continue
        with pytest.raises(TypeError, match=rf"{argument}\b.* must be a torch\.Tensor, got \w+"):
            metric.update(*arguments[:i], changed, *arguments[i + 1 :])
    for state, value in states(metric).items():
        assert_same(value, metric._defaults[state])


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "AgreementMatrix": ({}, {"k": 3}),
    "FeatureAgreement": ({"k": 1}, {"k": 3}),
    "PairwiseRankAgreement": ({}, {"strict": True}),
    "RankCorrelation": ({}, {"ties": "dense"}),
    "WrongReason": ({"threshold": 0.2}, {"threshold": 0.8}),
    "PrecisionAtK": ({"k": 1}, {"k": 3}),
    "ImportanceStability": ({"of": "spearman"}, {"of": "jaccard_at_k", "k": 2}),
    "FaithfulnessSuite": ({}, {"n_steps": 2}),
    "Deletion": ({}, {"masker": ColumnMasker(N, baseline=1.0)}),
    "MaxSensitivity": ({"radius": 0.1}, {"radius": 0.5}),
    "MonotonicityCorrelation": ({}, {"output": "logit"}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_metrics_of_one_class_share_no_states_in_a_collection(name):
    """Torchmetrics shares states of equal names that have equal values after the first batch."""
    one, other = ({**CASES[name][0], **options} for options in OPTIONS[name])
    cls = getattr(metrics, name)
    collection = MetricCollection({"one": cls(**one), "other": cls(**other)})
    rows = batches(name)
    nothing = [each[:0] if isinstance(each, Tensor) and each.ndim > 1 else each for each in rows[0]]
    if isinstance(nothing[-1], dict):
        nothing[-1] = {key: each[:0] for key, each in nothing[-1].items()}
    if name == "ImportanceStability":  # which needs two runs
        nothing = [torch.arange(float(N)).expand(2, N)]
    for arguments in (nothing, *rows):  # after the first, the states are equal
        collection.update(*arguments)
    alone = [cls(**one), cls(**other)]
    for metric, member in zip(alone, collection.values(copy_state=False), strict=True):
        for arguments in (nothing, *rows):
            metric.update(*arguments)
        assert_same(states(metric), states(member))
        assert metric._defaults.keys() == member.clone()._defaults.keys()
    assert states(alone[0]).keys() != states(alone[1]).keys()


def test_names_of_states_do_not_depend_on_how_arguments_are_given():
    by_position, by_name = metrics.FeatureAgreement(5), metrics.FeatureAgreement(k=5)
    assert by_position._defaults.keys() == by_name._defaults.keys()
    by_position.merge_state(by_name)
    plain, explicit = metrics.RankCorrelation(), metrics.RankCorrelation(ties="average")
    assert "rank_correlation_sum" in plain._defaults
    assert plain._defaults.keys() == explicit._defaults.keys()
