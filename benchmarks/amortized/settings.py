"""What is compared, and on what terms."""

from dataclasses import dataclass

LEARNED = (
    "DeepFaith",
    "FastSHAP",
    "FastSHAP, surrogate",
    "StochasticAmortization, KernelSHAP",
    "StochasticAmortization, permutations",
    "CXPlain",
    "L2X",
    "RealX",
    "LearnedOrder",
)
"""Networks that explain in one pass; ranks are ranks among these."""

OPTIONS = (
    "DeepFaith, stored subsets",
    "DeepFaith, stored subsets, all classes",
    "DeepFaith, Shapley kernel",
    "DeepFaith, all classes",
    "DeepFaith, Shapley kernel, all classes",
)
"""Other settings of a method, for tasks where its default does not lead; not ranked."""

BESIDE = ("DiET", "KernelShap", "Occlusion", "IntegratedGradients", "Random")
"""What is shown beside them: an optimisation for each sample, explainers that evaluate the model,
and noise."""

SEEDS = (0, 1, 2)

TITLES = {
    "bank": "Bank Marketing",
    "adult": "Adult",
    "ag_news": "AG News",
    "mnist": "MNIST",
    "fashion": "Fashion-MNIST",
}


@dataclass(frozen=True)
class Terms:
    """On what terms learned explainers of a task are compared.

    Attributes:
        evaluations: Budget of a training: evaluations of the explained model.
        seconds: Budget of a training: seconds of one CPU core. The first one that is used up ends
            the training; the learning rate falls linearly to 0 with the share that is used.
        samples: Number of test samples.
        subset_size: Share of the features in the random subsets of the metrics.
        preset: Local correlation loss of DeepFaith.
        selected: Number of features that L2X selects.
        baseline: What removed features become.
        batch_size: Rows of a training batch.
        rows: Largest number of training rows.
    """

    evaluations: int
    seconds: float
    samples: int
    subset_size: float
    preset: str
    selected: int
    baseline: str
    batch_size: int
    rows: int


TERMS = {
    "bank": Terms(1_500_000, 6, 500, 0.43, "table", 2, "mean", 128, 20_000),
    "adult": Terms(1_500_000, 6, 500, 0.43, "table", 3, "mean", 128, 20_000),
    "ag_news": Terms(1_000_000, 120, 200, 0.1, "text", 10, "zeros", 64, 10_000),
    "mnist": Terms(1_000_000, 120, 200, 0.1, "image", 12, "zeros", 64, 10_000),
    "fashion": Terms(1_000_000, 120, 200, 0.1, "image", 12, "zeros", 64, 10_000),
}

KERNEL_SAMPLES = 512
"""Evaluations of KernelShap for an explanation, beside the learned ones."""

FEWER_ROWS = {"bank": (250, 1000, 4000)}
"""Numbers of training rows, for the number of samples that are needed."""

HEADLINE = {"adult": (100, 30.0)}
"""Where FastSHAP is compared with sampling estimates of exact Shapley values: test samples,
and seconds of training."""

HEADLINE_BUDGETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Evaluations of a sampling estimate."""
