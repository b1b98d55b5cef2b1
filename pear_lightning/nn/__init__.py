"""Backbones for tables, images and text, gates over their inputs, and explainer networks."""

from pear_lightning.nn.backbone_tokens import BackboneTokens
from pear_lightning.nn.cancel_out import CancelOut
from pear_lightning.nn.explainer_ensemble import ExplainerEnsemble
from pear_lightning.nn.explainer_mlp import ExplainerMLP
from pear_lightning.nn.explainer_tokens import (
    ColumnTokens,
    ExplainerTokens,
    PatchTokens,
    TextTokens,
)
from pear_lightning.nn.explainer_transformer import ExplainerTransformer
from pear_lightning.nn.feature_gate import FeatureGate
from pear_lightning.nn.gated_backbone import GatedBackbone
from pear_lightning.nn.lightning_checkpoint import lightning_checkpoint
from pear_lightning.nn.linear_model import LinearModel
from pear_lightning.nn.masked_attention import MaskedAttention
from pear_lightning.nn.mlp import MLP
from pear_lightning.nn.recurrent_classifier import RecurrentClassifier
from pear_lightning.nn.scores_activation import ScoresActivation
from pear_lightning.nn.sklearn_classifier import SklearnClassifier
from pear_lightning.nn.small_cnn import SmallCNN
from pear_lightning.nn.stochastic_gates import StochasticGates
from pear_lightning.nn.timm_model import timm_model
from pear_lightning.nn.timm_tokens import TimmTokens
from pear_lightning.nn.transformer_text_classifier import TransformerTextClassifier
from pear_lightning.nn.transformers_classifier import TransformersClassifier

__all__ = [
    "MLP",
    "BackboneTokens",
    "CancelOut",
    "ColumnTokens",
    "ExplainerEnsemble",
    "ExplainerMLP",
    "ExplainerTokens",
    "ExplainerTransformer",
    "FeatureGate",
    "GatedBackbone",
    "LinearModel",
    "MaskedAttention",
    "PatchTokens",
    "RecurrentClassifier",
    "ScoresActivation",
    "SklearnClassifier",
    "SmallCNN",
    "StochasticGates",
    "TextTokens",
    "TimmTokens",
    "TransformerTextClassifier",
    "TransformersClassifier",
    "lightning_checkpoint",
    "timm_model",
]
