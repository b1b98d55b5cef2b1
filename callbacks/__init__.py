"""Lightning callbacks."""

from pear_lightning.callbacks.agreement_table import AgreementTable
from pear_lightning.callbacks.prediction_writer import PredictionWriter

__all__ = ["AgreementTable", "PredictionWriter"]
