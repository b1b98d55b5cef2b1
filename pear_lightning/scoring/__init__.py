"""Evaluation of the model: batches, scores, gradients at points, perturbed copies."""

from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.outputs import OutputFunction, OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward, Scorer

__all__ = ["Batch", "Forward", "OutputFunction", "OutputName", "Scorer", "resolve_output"]
