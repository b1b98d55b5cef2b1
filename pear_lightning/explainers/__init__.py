"""Attribution methods, and the function :func:`explain` that runs them."""

from pear_lightning.explainers.amortized_explainer import AmortizedExplainer
from pear_lightning.explainers.base import Explainer, GradientExplainer, Query
from pear_lightning.explainers.captum_explainer import CaptumExplainer
from pear_lightning.explainers.confidence import ExplanationConfidence
from pear_lightning.explainers.expected_gradients import ExpectedGradients
from pear_lightning.explainers.explain import explain
from pear_lightning.explainers.grad_cam import GradCAM
from pear_lightning.explainers.grad_cam_plus_plus import GradCAMPlusPlus
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.explainers.input_x_gradient import InputXGradient
from pear_lightning.explainers.integrated_gradients import IntegratedGradients
from pear_lightning.explainers.kernel_shap import KernelShap
from pear_lightning.explainers.lime import Lime
from pear_lightning.explainers.occlusion import Occlusion
from pear_lightning.explainers.optimized_mask import OptimizedMask
from pear_lightning.explainers.permutation_shap import PermutationShap
from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer
from pear_lightning.explainers.prior_sets import Prior, prior_set
from pear_lightning.explainers.random_attributions import RandomAttributions
from pear_lightning.explainers.score_cam import ScoreCAM
from pear_lightning.explainers.smooth_grad import SmoothGrad
from pear_lightning.scoring.scorer import Scorer

__all__ = [
    "AmortizedExplainer",
    "CaptumExplainer",
    "ExpectedGradients",
    "Explainer",
    "ExplanationConfidence",
    "GradCAM",
    "GradCAMPlusPlus",
    "Gradient",
    "GradientExplainer",
    "InputXGradient",
    "IntegratedGradients",
    "KernelShap",
    "Lime",
    "Occlusion",
    "OptimizedMask",
    "PermutationShap",
    "PerturbationExplainer",
    "Prior",
    "Query",
    "RandomAttributions",
    "ScoreCAM",
    "Scorer",
    "SmoothGrad",
    "explain",
    "prior_set",
]
