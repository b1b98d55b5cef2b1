"""Metrics of where attributions lie, relative to a mask or a region."""

from pear_lightning.metrics.localisation.attribution_inside import AttributionInside
from pear_lightning.metrics.localisation.attribution_outside import AttributionOutside
from pear_lightning.metrics.localisation.pointing_game import PointingGame
from pear_lightning.metrics.localisation.relevance_mass_accuracy import RelevanceMassAccuracy
from pear_lightning.metrics.localisation.relevance_rank_accuracy import RelevanceRankAccuracy
from pear_lightning.metrics.localisation.wrong_reason import WrongReason

__all__ = [
    "AttributionInside",
    "AttributionOutside",
    "PointingGame",
    "RelevanceMassAccuracy",
    "RelevanceRankAccuracy",
    "WrongReason",
]
