"""The ten metrics."""

from typing import Any

from benchmarks.explainer_ranking.settings import TERMS
from pear_lightning.masking import (
    Masker,
    PatchMasker,
    SegmentMasker,
    Slic,
)
from pear_lightning.metrics import (
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


def suite_of(name: str, masker: Masker, explanations: list[str], kind: str) -> FaithfulnessSuite:
    """Return the ten metrics.

    Args:
        name: Name of the data set.
        masker: Its features.
        explanations: Names of what is compared.
        kind: ``"deepfaith"`` for the definitions of DeepFaith's code; else each metric as its own
            paper defines it.
    """
    terms = TERMS[name]
    subsets: dict[str, Any] = {"n_subsets": 100, "subset_size": terms.subset_size}
    if kind == "deepfaith":
        return FaithfulnessSuite.deepfaith(masker, explanations, n_steps=terms.n_steps, **subsets)
    segments = masker
    if isinstance(masker, PatchMasker):
        segments = SegmentMasker(Slic(25, compactness=0.1), baseline="own_mean")
    accuracy: dict[str, Any] = {"n_steps": 10, "value": "accuracy", "ends": "none"}
    return FaithfulnessSuite(
        masker,
        explanations,
        [
            FaithfulnessCorrelation(masker, **subsets),
            FaithfulnessEstimate(masker),
            MonotonicityCorrelation(masker),
            RegionPerturbation(masker, terms.n_steps),
            Insertion(masker, terms.n_steps),
            Deletion(masker, terms.n_steps),
            NegativePerturbation(masker, **accuracy),
            PositivePerturbation(masker, **accuracy),
            IROF(segments, terms.n_steps),
            Infidelity(masker, **subsets),
        ],
    )
