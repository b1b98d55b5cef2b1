"""Losses of attributions."""

from pear_lightning.losses.consensus import ConsensusLoss, ConsensusTerms
from pear_lightning.losses.deep_lasso import DeepLassoLoss, deep_lasso_loss

__all__ = ["ConsensusLoss", "ConsensusTerms", "DeepLassoLoss", "deep_lasso_loss"]
