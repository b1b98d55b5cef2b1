"""Metrics of how far explanations of the same samples agree."""

from pear_lightning.metrics.agreement.common_share import CommonShare
from pear_lightning.metrics.agreement.feature_agreement import FeatureAgreement
from pear_lightning.metrics.agreement.matrix import AgreementMatrix
from pear_lightning.metrics.agreement.pairwise_rank_agreement import PairwiseRankAgreement
from pear_lightning.metrics.agreement.rank_agreement import RankAgreement
from pear_lightning.metrics.agreement.rank_correlation import RankCorrelation
from pear_lightning.metrics.agreement.sign_agreement import SignAgreement
from pear_lightning.metrics.agreement.signed_rank_agreement import SignedRankAgreement

__all__ = [
    "AgreementMatrix",
    "CommonShare",
    "FeatureAgreement",
    "PairwiseRankAgreement",
    "RankAgreement",
    "RankCorrelation",
    "SignAgreement",
    "SignedRankAgreement",
]
