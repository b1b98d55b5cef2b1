"""Stand-ins for tensors that run through networks: intervals and contextual decompositions."""

from pear_lightning.stand_ins.contextual_decomposition import Decomposed
from pear_lightning.stand_ins.intervals import Interval
from pear_lightning.stand_ins.stand_in import NoRuleError, StandIn

__all__ = ["Decomposed", "Interval", "NoRuleError", "StandIn"]
