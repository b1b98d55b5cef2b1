"""One Lightning module for each method."""

from pear_lightning.modules.base import ExplainedModule
from pear_lightning.modules.pear import PEAR

__all__ = ["PEAR", "ExplainedModule"]
