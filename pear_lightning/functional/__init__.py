"""Pure tensor maths that knows no model: soft ranks, correlations, agreement of explanations."""

from pear_lightning.functional.agreement import (
    AGREEMENT_NAMES,
    chance_corrected,
    chance_level,
    feature_agreement,
    pairwise_rank_agreement,
    rank_agreement,
    rank_correlation,
    sign_agreement,
    signed_rank_agreement,
)
from pear_lightning.functional.correlation import (
    constant_rows,
    pearson,
    spearman,
    standardize,
)
from pear_lightning.functional.ranking import average_ranks, hard_ranks
from pear_lightning.functional.soft_rank import soft_rank
from pear_lightning.functional.soft_spearman import soft_rank_saliency, soft_spearman

__all__ = [
    "AGREEMENT_NAMES",
    "average_ranks",
    "chance_corrected",
    "chance_level",
    "constant_rows",
    "feature_agreement",
    "hard_ranks",
    "pairwise_rank_agreement",
    "pearson",
    "rank_agreement",
    "rank_correlation",
    "sign_agreement",
    "signed_rank_agreement",
    "soft_rank",
    "soft_rank_saliency",
    "soft_spearman",
    "spearman",
    "standardize",
]
