"""What the ranking of explainers compares, and on what terms."""

from dataclasses import dataclass

DATA_SETS = ("bank", "ag_news", "mnist", "fashion")
KINDS = ("papers", "deepfaith", "other baseline", "budget")
"""Metrics as their own papers define them, as DeepFaith's code does, and as in their papers with
another baseline than the explainers'; and what KernelShap and Lime gain from more evaluations."""

CONTROLS = ("Random", "Inverted IG")
"""Explanations that must come last: noise, and integrated gradients with the other sign."""


@dataclass(frozen=True)
class Terms:
    """On what terms explanations of a data set are compared.

    Attributes:
        baseline: What removed features become, for explainers and metrics.
        n_steps: Steps of a removal curve.
        subset_size: Of random subsets, in features or as a share.
        coalitions: Model evaluations of KernelShap and Lime.
        noise: Standard deviation of SmoothGrad's noise, in units of the inputs.
        batch_size: Samples explained together.
        samples: Test samples, drawn at random.
    """

    baseline: str
    n_steps: int
    subset_size: int | float
    coalitions: int
    noise: float
    batch_size: int
    samples: int


TERMS = {
    "mnist": Terms("zeros", 28, 0.1, 600, 0.1, 25, 300),
    "fashion": Terms("zeros", 28, 0.1, 600, 0.1, 25, 300),
    "bank": Terms("mean", 7, 3, 128, 0.1, 250, 1000),
    "ag_news": Terms("zeros", 16, 0.2, 500, 0.1, 25, 300),
}

OTHER_BASELINES = {"mnist": "mean", "fashion": "mean", "ag_news": "own_mean"}
"""What else removed features may become for the metrics, while explanations stay as they are."""

BUDGETS = {"mnist": (300, 600, 1200, 2400)}
BUDGET_SAMPLES = 50
"""How KernelShap and Lime depend on their number of model evaluations: where, and on how many
samples."""

TITLES = {
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
    "bank": "Bank Marketing",
    "ag_news": "AG News",
}
