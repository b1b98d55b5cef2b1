"""Losses of attributions."""

from pear_lightning.losses.consensus import ConsensusLoss, ConsensusTerms

__all__ = ["ConsensusLoss", "ConsensusTerms"]
