"""Evaluation of the model: batches, scores, gradients at points, perturbed copies."""

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward, Scorer
from pear_lightning.scoring.subset_laws import (
    BernoulliLaw,
    FixedSizeLaw,
    PrefixLaw,
    ShapleyLaw,
    SingleRemovalLaw,
    SubsetLaw,
    UniformSizeLaw,
)

__all__ = [
    "Batch",
    "BernoulliLaw",
    "FixedSizeLaw",
    "Forward",
    "OutputFunction",
    "OutputName",
    "PrefixLaw",
    "Scorer",
    "ShapleyLaw",
    "SingleRemovalLaw",
    "SubsetLaw",
    "UniformSizeLaw",
    "resolve_output",
]
