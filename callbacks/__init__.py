"""Lightning callbacks."""

from pear_lightning.callbacks.agreement_monitor import AgreementMonitor
from pear_lightning.callbacks.agreement_table import AgreementTable
from pear_lightning.callbacks.alpha_schedule import AlphaSchedule
from pear_lightning.callbacks.attribution_pictures import AttributionPictures
from pear_lightning.callbacks.explainer_comparison import ExplainerComparison
from pear_lightning.callbacks.explanation_regularizer import ExplanationRegularizer
from pear_lightning.callbacks.faithfulness_monitor import FaithfulnessMonitor
from pear_lightning.callbacks.prediction_writer import PredictionWriter
from pear_lightning.callbacks.scores_logger import ScoresLogger
from pear_lightning.callbacks.supervision_writer import SupervisionWriter

__all__ = [
    "AgreementMonitor",
    "AgreementTable",
    "AlphaSchedule",
    "AttributionPictures",
    "ExplainerComparison",
    "ExplanationRegularizer",
    "FaithfulnessMonitor",
    "PredictionWriter",
    "ScoresLogger",
    "SupervisionWriter",
]
