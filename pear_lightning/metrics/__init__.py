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

__all__ = [
    "AgreementMatrix",
    "FeatureAgreement",
    "PairwiseRankAgreement",
    "RankAgreement",
    "RankCorrelation",
    "SignAgreement",
    "SignedRankAgreement",
]
