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
from pear_lightning.functional.importance import (
    false_discovery_rate,
    precision_at_k,
    relevance_auroc,
    relevance_average_precision,
    true_discovery_rate,
)
from pear_lightning.functional.importance_agreement import (
    importance_stability,
    jaccard_at_k,
    kendall,
    kuncheva_index,
    top_k_overlap,
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
    "false_discovery_rate",
    "feature_agreement",
    "hard_ranks",
    "importance_stability",
    "jaccard_at_k",
    "kendall",
    "kuncheva_index",
    "pairwise_rank_agreement",
    "pearson",
    "precision_at_k",
    "rank_agreement",
    "rank_correlation",
    "relevance_auroc",
    "relevance_average_precision",
    "sign_agreement",
    "signed_rank_agreement",
    "soft_rank",
    "soft_rank_saliency",
    "soft_spearman",
    "spearman",
    "standardize",
    "top_k_overlap",
    "true_discovery_rate",
]
