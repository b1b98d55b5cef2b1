"""What the DeepFaith benchmark compares, and on what terms."""

from dataclasses import dataclass
from typing import Literal

SEEDS = (0, 1, 2)
"""Of the explained network, of the explainer network, and of the samples that are drawn."""

DEFINITIONS = ("library", "deepfaith")
"""The ten metrics by the default settings of the library, and by those of DeepFaith's code."""


@dataclass(frozen=True)
class Terms:
    """On what terms explainers are compared on one task.

    Attributes:
        title: Name of the task in tables.
        kind: What the samples are.
        features: What a feature is, in words.
        epochs: Epochs of the explained network.
        train: Samples that DeepFaith learns from; a smaller table is filled up with made-up rows.
        supervised: Samples whose explanations the paper's recipe imitates, if there are as many.
        val: Samples with which settings are chosen; at most a sixth of the training rows.
        test: Samples that are reported.
        n_steps: Steps of a removal curve.
        subset_size: Size of the random subsets of the metrics, in features or as a share.
        small: Smaller budget of LIME and KernelSHAP, in evaluations of the explained network.
        large: Larger budget.
        steps: Training steps of the explainer network.
        batch_size: Batch size of the explainer network.
    """

    title: str
    kind: Literal["table", "image", "text"]
    features: str
    epochs: int
    train: int
    supervised: int
    val: int
    test: int
    n_steps: int
    subset_size: int | float
    small: int
    large: int
    steps: int
    batch_size: int


_SEVEN = "7 columns"
_PATCHES = "49 patches of 4 x 4 pixels"
_WORDS = "up to 64 words"
_OF_SEVEN = (8000, 1000, 200, 200, 7, 3, 32, 128, 1200, 128)
_OF_IMAGES = (2000, 40, 40, 60, 16, 0.1, 200, 600, 1200, 64)
_OF_TEXTS = (4000, 40, 60, 60, 16, 0.2, 100, 500, 2400, 64)
TASKS = {
    "bank": Terms("Bank Marketing", "table", _SEVEN, 12, *_OF_SEVEN),
    "adult": Terms(
        "Adult", "table", "14 columns", 4, 8000, 500, 200, 200, 14, 0.3, 128, 512, 1200, 128
    ),
    "nhanes": Terms("NHANES age", "table", _SEVEN, 30, *_OF_SEVEN),
    "wholesale": Terms("Wholesale customers", "table", _SEVEN, 60, *_OF_SEVEN),
    "fashion": Terms("Fashion-MNIST", "image", _PATCHES, 2, *_OF_IMAGES),
    "mnist": Terms("MNIST", "image", _PATCHES, 2, *_OF_IMAGES),
    "ag_news": Terms("AG News", "text", _WORDS, 8, *_OF_TEXTS),
    "sst2": Terms("SST-2", "text", _WORDS, 3, *_OF_TEXTS),
}
OURS, PAPERS = "DeepFaith", "DeepFaith, the paper's recipe"
SUM, ZEROED, RANDOM = "sum of priors", "LIME [p], zero rule", "random"
CONTROLS = (SUM, ZEROED, RANDOM)
HELD_OUT = (
    ("faithfulness_correlation", "infidelity"),
    ("faithfulness_estimate", "monotonicity_correlation"),
    ("insertion", "negative_perturbation"),
    ("deletion", "positive_perturbation"),
    ("region_perturbation", "irof"),
)
"""Pairs of metrics that are held out."""
