"""Metrics of how faithful explanations are to their model."""

from pear_lightning.metrics.faithfulness.deletion import Deletion
from pear_lightning.metrics.faithfulness.explainer_ranking import ExplainerRanking
from pear_lightning.metrics.faithfulness.faithfulness_correlation import FaithfulnessCorrelation
from pear_lightning.metrics.faithfulness.faithfulness_estimate import FaithfulnessEstimate
from pear_lightning.metrics.faithfulness.infidelity import Infidelity
from pear_lightning.metrics.faithfulness.insertion import Insertion
from pear_lightning.metrics.faithfulness.irof import IROF
from pear_lightning.metrics.faithfulness.max_sensitivity import MaxSensitivity
from pear_lightning.metrics.faithfulness.monotonicity_correlation import MonotonicityCorrelation
from pear_lightning.metrics.faithfulness.negative_perturbation import NegativePerturbation
from pear_lightning.metrics.faithfulness.positive_perturbation import PositivePerturbation
from pear_lightning.metrics.faithfulness.rank_explainers import rank_explainers
from pear_lightning.metrics.faithfulness.region_perturbation import RegionPerturbation
from pear_lightning.metrics.faithfulness.suite import FaithfulnessSuite

__all__ = [
    "IROF",
    "Deletion",
    "ExplainerRanking",
    "FaithfulnessCorrelation",
    "FaithfulnessEstimate",
    "FaithfulnessSuite",
    "Infidelity",
    "Insertion",
    "MaxSensitivity",
    "MonotonicityCorrelation",
    "NegativePerturbation",
    "PositivePerturbation",
    "RegionPerturbation",
    "rank_explainers",
]
