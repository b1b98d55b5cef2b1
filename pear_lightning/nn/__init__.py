"""Backbones for tables, images and text, and gates that score their input features."""

from pear_lightning.nn.cancel_out import CancelOut
from pear_lightning.nn.feature_gate import FeatureGate
from pear_lightning.nn.gated_backbone import GatedBackbone
from pear_lightning.nn.linear_model import LinearModel
from pear_lightning.nn.mlp import MLP
from pear_lightning.nn.scores_activation import ScoresActivation
from pear_lightning.nn.stochastic_gates import StochasticGates
from pear_lightning.nn.timm_model import timm_model
from pear_lightning.nn.transformers_classifier import TransformersClassifier

__all__ = [
    "MLP",
    "CancelOut",
    "FeatureGate",
    "GatedBackbone",
    "LinearModel",
    "ScoresActivation",
    "StochasticGates",
    "TransformersClassifier",
    "timm_model",
]
