"""Backbones: small networks for tables, and models from timm and transformers."""

from pear_lightning.nn.linear_model import LinearModel
from pear_lightning.nn.mlp import MLP
from pear_lightning.nn.timm_model import timm_model
from pear_lightning.nn.transformers_classifier import TransformersClassifier

__all__ = ["MLP", "LinearModel", "TransformersClassifier", "timm_model"]
