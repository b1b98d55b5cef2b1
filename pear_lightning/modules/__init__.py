"""Lightning modules, one for each method."""

from pear_lightning.modules.amortized import AmortizedModule
from pear_lightning.modules.base import ExplainedModule
from pear_lightning.modules.cxplain import CXPlain
from pear_lightning.modules.deep_lasso import DeepLasso
from pear_lightning.modules.deepfaith import DeepFaith
from pear_lightning.modules.diet import DiET
from pear_lightning.modules.evalx import EvalX
from pear_lightning.modules.fastshap import FastSHAP
from pear_lightning.modules.find_another_explanation import FindAnotherExplanation
from pear_lightning.modules.l2x import L2X
from pear_lightning.modules.learned_order import LearnedOrder
from pear_lightning.modules.pear import PEAR
from pear_lightning.modules.prior_explanations import PriorExplanations
from pear_lightning.modules.realx import RealX
from pear_lightning.modules.right_reasons import RightForTheRightReasons
from pear_lightning.modules.scored_module import ScoredModule
from pear_lightning.modules.scores_activation import ScoresActivationModule
from pear_lightning.modules.stochastic_amortization import StochasticAmortization
from pear_lightning.modules.supervised import SupervisedModule
from pear_lightning.modules.surrogate import Surrogate

__all__ = [
    "L2X",
    "PEAR",
    "AmortizedModule",
    "CXPlain",
    "DeepFaith",
    "DeepLasso",
    "DiET",
    "EvalX",
    "ExplainedModule",
    "FastSHAP",
    "FindAnotherExplanation",
    "LearnedOrder",
    "PriorExplanations",
    "RealX",
    "RightForTheRightReasons",
    "ScoredModule",
    "ScoresActivationModule",
    "StochasticAmortization",
    "SupervisedModule",
    "Surrogate",
]
