"""Every metric in the forms of its paper and of DeepFaith, beside the plain formula."""

from collections.abc import Callable, Sequence
from typing import Any

from pear_lightning.masking import Masker
from pear_lightning.metrics.faithfulness import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    Infidelity,
    Insertion,
    MonotonicityCorrelation,
    NegativePerturbation,
    PositivePerturbation,
    RegionPerturbation,
)
from pear_lightning.metrics.faithfulness.base import FaithfulnessMetric
from tests.reference import faithfulness as reference
from tests.reference.faithfulness import Hit, Output

STEPS = 4
SUBSETS = 12
DEEPFAITH: dict[str, Any] = {"ends": "last", "normalize": False}
CHEFER: dict[str, Any] = {"ends": "none", "value": "accuracy"}

Plain = Callable[[Output, Hit, Sequence[float], list[frozenset[int]]], float]
Configuration = tuple[Callable[..., FaithfulnessMetric], dict[str, Any], Plain]


def perturbation(least_first: bool, **options: Any) -> Plain:
    return lambda f, hit, s, _: reference.perturbation(
        f, s, STEPS, least_first=least_first, hit=hit, **options
    )


late = reference.deepfaith_area
inner = reference.inner_area

ON_CURVES: dict[str, Configuration] = {
    "deletion": (Deletion, {}, lambda f, hit, s, _: reference.deletion(f, s, STEPS)),
    "deletion, DeepFaith": (
        Deletion,
        DEEPFAITH,
        lambda f, hit, s, _: reference.deletion(f, s, STEPS, late),
    ),
    "insertion": (Insertion, {}, lambda f, hit, s, _: reference.insertion(f, s, STEPS)),
    "insertion, DeepFaith": (
        Insertion,
        DEEPFAITH,
        lambda f, hit, s, _: reference.insertion(f, s, STEPS, late),
    ),
    "positive": (PositivePerturbation, {}, perturbation(False)),
    "positive, Chefer": (
        PositivePerturbation,
        CHEFER,
        perturbation(False, area=inner, accuracy=True),
    ),
    "positive, DeepFaith": (
        PositivePerturbation,
        {**DEEPFAITH, "freeze": True},
        perturbation(False, area=late, freeze=True),
    ),
    "negative": (NegativePerturbation, {}, perturbation(True)),
    "negative, Chefer": (
        NegativePerturbation,
        CHEFER,
        perturbation(True, area=inner, accuracy=True),
    ),
    "negative, DeepFaith": (
        NegativePerturbation,
        {**DEEPFAITH, "freeze": True},
        perturbation(True, area=late, freeze=True),
    ),
    "region": (
        RegionPerturbation,
        {},
        lambda f, hit, s, _: reference.region_perturbation(f, s, STEPS),
    ),
    "region, DeepFaith": (
        RegionPerturbation,
        {"include_start": False},
        lambda f, hit, s, _: reference.deepfaith_region_perturbation(f, s, STEPS),
    ),
    "irof": (IROF, {}, lambda f, hit, s, _: reference.irof(f, s, STEPS)),
    "irof, DeepFaith": (
        IROF,
        DEEPFAITH,
        lambda f, hit, s, _: reference.irof(f, s, STEPS, late),
    ),
}
ON_SINGLE_FEATURES: dict[str, Configuration] = {
    "estimate": (
        FaithfulnessEstimate,
        {},
        lambda f, hit, s, _: reference.faithfulness_estimate(f, s),
    ),
    "estimate, DeepFaith": (
        FaithfulnessEstimate,
        {"chunks": STEPS},
        lambda f, hit, s, _: reference.deepfaith_faithfulness_estimate(f, s, STEPS),
    ),
    "monotonicity": (
        MonotonicityCorrelation,
        {},
        lambda f, hit, s, _: reference.monotonicity_correlation([f], s),
    ),
    "monotonicity, DeepFaith": (
        MonotonicityCorrelation,
        {"chunks": STEPS, "absolute": False},
        lambda f, hit, s, _: reference.deepfaith_monotonicity_correlation(f, s, STEPS),
    ),
}
ON_SUBSETS: dict[str, Configuration] = {
    "correlation": (
        FaithfulnessCorrelation,
        {"subset_size": 2},
        lambda f, hit, s, subsets: reference.faithfulness_correlation(f, s, subsets),
    ),
    "correlation, share": (
        FaithfulnessCorrelation,
        {"subset_size": 0.5},
        lambda f, hit, s, subsets: reference.faithfulness_correlation(f, s, subsets),
    ),
    "infidelity, DeepFaith": (
        FaithfulnessCorrelation,
        {"subset_size": "bernoulli"},
        lambda f, hit, s, subsets: reference.faithfulness_correlation(f, s, subsets),
    ),
    "infidelity": (
        Infidelity,
        {"subset_size": "bernoulli"},
        lambda f, hit, s, subsets: reference.infidelity(f, s, subsets, normalize=True),
    ),
    "infidelity, not normalized": (
        Infidelity,
        {"subset_size": 2, "normalize": False},
        lambda f, hit, s, subsets: reference.infidelity(f, s, subsets),
    ),
}
CONFIGURATIONS = {**ON_CURVES, **ON_SINGLE_FEATURES, **ON_SUBSETS}


def make(name: str, masker: Masker, **options: Any) -> FaithfulnessMetric:
    cls, settings, _ = CONFIGURATIONS[name]
    size = {"n_steps": STEPS} if name in ON_CURVES else {}
    size = {"n_subsets": SUBSETS} if name in ON_SUBSETS else size
    return cls(masker, **{**size, **settings, **options})
