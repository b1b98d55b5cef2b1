"""Metrics of explanations, as ``torchmetrics.Metric``."""

from pear_lightning.metrics.agreement import (
    AgreementMatrix,
    FeatureAgreement,
    PairwiseRankAgreement,
    RankAgreement,
    RankCorrelation,
    SignAgreement,
    SignedRankAgreement,
)
from pear_lightning.metrics.importance import (
    FalseDiscoveryRate,
    ImportanceKendall,
    ImportanceSpearman,
    ImportanceStability,
    PrecisionAtK,
    RelevanceAUROC,
    RelevanceAveragePrecision,
    TopKOverlap,
    TrueDiscoveryRate,
)

__all__ = [
    "AgreementMatrix",
    "FalseDiscoveryRate",
    "FeatureAgreement",
    "ImportanceKendall",
    "ImportanceSpearman",
    "ImportanceStability",
    "PairwiseRankAgreement",
    "PrecisionAtK",
    "RankAgreement",
    "RankCorrelation",
    "RelevanceAUROC",
    "RelevanceAveragePrecision",
    "SignAgreement",
    "SignedRankAgreement",
    "TopKOverlap",
    "TrueDiscoveryRate",
]
