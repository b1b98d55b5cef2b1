"""Parts that all trained methods share: objective, schedules, precision, reference data."""

from pear_lightning.training.cosine_decay import CosineDecay
from pear_lightning.training.matched_magnitude import MatchedMagnitude
from pear_lightning.training.objective import Objective, Terms
from pear_lightning.training.target_model import TargetModel
from pear_lightning.training.weight_schedule import (
    ConstantWeight,
    LateStart,
    WarmUp,
    WeightSchedule,
)

__all__ = [
    "ConstantWeight",
    "CosineDecay",
    "LateStart",
    "MatchedMagnitude",
    "Objective",
    "TargetModel",
    "Terms",
    "WarmUp",
    "WeightSchedule",
]
