"""Losses of explanations."""

from pear_lightning.losses.attribution_loss import AttributionLoss
from pear_lightning.losses.cdep import CDEPLoss
from pear_lightning.losses.consensus import ConsensusLoss, ConsensusTerms
from pear_lightning.losses.corm import CoRMLoss
from pear_lightning.losses.correlation_term import CorrelationTerm
from pear_lightning.losses.counterexamples import CounterexamplesLoss
from pear_lightning.losses.deep_lasso import DeepLassoLoss, deep_lasso_loss
from pear_lightning.losses.double_backpropagation import DoubleBackpropagationLoss
from pear_lightning.losses.energy import EnergyLoss
from pear_lightning.losses.expected_gradients_prior import ExpectedGradientsPrior
from pear_lightning.losses.explanation_loss import ExplanationLoss
from pear_lightning.losses.graph_smoothness_prior import GraphSmoothnessPrior
from pear_lightning.losses.hint import HINTLoss
from pear_lightning.losses.ibp_ex import IBPExLoss
from pear_lightning.losses.local_correlation import LocalCorrelationLoss
from pear_lightning.losses.pattern_consistency import PatternConsistencyLoss
from pear_lightning.losses.pgd_ex import PGDExLoss
from pear_lightning.losses.pgd_r4 import PGDR4Loss
from pear_lightning.losses.r4 import R4Loss
from pear_lightning.losses.rand_r4 import RandR4Loss
from pear_lightning.losses.rbr_identity_hessian import RBRIdentityHessianLoss
from pear_lightning.losses.right_reasons import RightReasonsLoss, right_reasons_loss
from pear_lightning.losses.rrr_g import RRRGLoss
from pear_lightning.losses.simplified_hint import SimplifiedHINTLoss
from pear_lightning.losses.smoothness_prior import SmoothnessPrior
from pear_lightning.losses.sparsity_prior import SparsityPrior
from pear_lightning.losses.x_gradient import XGradientPrior

__all__ = [
    "AttributionLoss",
    "CDEPLoss",
    "CoRMLoss",
    "ConsensusLoss",
    "ConsensusTerms",
    "CorrelationTerm",
    "CounterexamplesLoss",
    "DeepLassoLoss",
    "DoubleBackpropagationLoss",
    "EnergyLoss",
    "ExpectedGradientsPrior",
    "ExplanationLoss",
    "GraphSmoothnessPrior",
    "HINTLoss",
    "IBPExLoss",
    "LocalCorrelationLoss",
    "PGDExLoss",
    "PGDR4Loss",
    "PatternConsistencyLoss",
    "R4Loss",
    "RBRIdentityHessianLoss",
    "RRRGLoss",
    "RandR4Loss",
    "RightReasonsLoss",
    "SimplifiedHINTLoss",
    "SmoothnessPrior",
    "SparsityPrior",
    "XGradientPrior",
    "deep_lasso_loss",
    "right_reasons_loss",
]
