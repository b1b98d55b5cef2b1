"""What every trained method shares: objective, weight schedules, precision, reference data."""

from pear_lightning.training.penalty_weight import PenaltyWeight

__all__ = ["PenaltyWeight"]
