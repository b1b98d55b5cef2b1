"""Metrics of scores of features: against known relevance, a reference, or other runs."""

from pear_lightning.metrics.importance.false_discovery_rate import FalseDiscoveryRate
from pear_lightning.metrics.importance.importance_kendall import ImportanceKendall
from pear_lightning.metrics.importance.importance_spearman import ImportanceSpearman
from pear_lightning.metrics.importance.importance_stability import ImportanceStability
from pear_lightning.metrics.importance.precision_at_k import PrecisionAtK
from pear_lightning.metrics.importance.relevance_auroc import RelevanceAUROC
from pear_lightning.metrics.importance.relevance_average_precision import RelevanceAveragePrecision
from pear_lightning.metrics.importance.top_k_overlap import TopKOverlap
from pear_lightning.metrics.importance.true_discovery_rate import TrueDiscoveryRate

__all__ = [
    "FalseDiscoveryRate",
    "ImportanceKendall",
    "ImportanceSpearman",
    "ImportanceStability",
    "PrecisionAtK",
    "RelevanceAUROC",
    "RelevanceAveragePrecision",
    "TopKOverlap",
    "TrueDiscoveryRate",
]
