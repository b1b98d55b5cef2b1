"""Functions of tensors, independent of models: soft ranks, correlations, measures of agreement."""

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
from pear_lightning.functional.aligned_text import aligned_text
from pear_lightning.functional.correlation import (
    constant_rows,
    pearson,
    spearman,
    standardize,
)
from pear_lightning.functional.curve_options import AreaOptions, CurveOptions
from pear_lightning.functional.curves import (
    area_under_curve,
    freeze_after_flip,
    mean_drop,
    relative_curve,
    reverse_curve,
)
from pear_lightning.functional.faithfulness import (
    faithfulness_correlation,
    faithfulness_estimate,
    infidelity,
    monotonicity_correlation,
)
from pear_lightning.functional.faithfulness_curves import (
    deletion,
    insertion,
    irof,
    negative_perturbation,
    perturbation_area,
    positive_perturbation,
    region_perturbation,
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
from pear_lightning.functional.localisation import (
    attribution_share,
    pointing_game,
    relevance_mass_accuracy,
    relevance_rank_accuracy,
)
from pear_lightning.functional.masked_correlation import masked_pearson, masked_spearman
from pear_lightning.functional.max_sensitivity import max_sensitivity
from pear_lightning.functional.per_sample import PerSample
from pear_lightning.functional.ranks import average_ranks, hard_ranks
from pear_lightning.functional.soft_rank import soft_rank
from pear_lightning.functional.soft_spearman import soft_rank_saliency, soft_spearman
from pear_lightning.functional.wrong_reason import mean_activation, wrong_reason

__all__ = [
    "AGREEMENT_NAMES",
    "AreaOptions",
    "CurveOptions",
    "PerSample",
    "aligned_text",
    "area_under_curve",
    "attribution_share",
    "average_ranks",
    "chance_corrected",
    "chance_level",
    "constant_rows",
    "deletion",
    "faithfulness_correlation",
    "faithfulness_estimate",
    "false_discovery_rate",
    "feature_agreement",
    "freeze_after_flip",
    "hard_ranks",
    "importance_stability",
    "infidelity",
    "insertion",
    "irof",
    "jaccard_at_k",
    "kendall",
    "kuncheva_index",
    "masked_pearson",
    "masked_spearman",
    "max_sensitivity",
    "mean_activation",
    "mean_drop",
    "monotonicity_correlation",
    "negative_perturbation",
    "pairwise_rank_agreement",
    "pearson",
    "perturbation_area",
    "pointing_game",
    "positive_perturbation",
    "precision_at_k",
    "rank_agreement",
    "rank_correlation",
    "region_perturbation",
    "relative_curve",
    "relevance_auroc",
    "relevance_average_precision",
    "relevance_mass_accuracy",
    "relevance_rank_accuracy",
    "reverse_curve",
    "sign_agreement",
    "signed_rank_agreement",
    "soft_rank",
    "soft_rank_saliency",
    "soft_spearman",
    "spearman",
    "standardize",
    "top_k_overlap",
    "true_discovery_rate",
    "wrong_reason",
]
