"""What is trained on which data, and how it is measured."""

from dataclasses import dataclass
from typing import Literal

Data = Literal["cifar10", "ag_news", "sst2"]
Network = Literal["resnet", "vit", "transformer", "minilm"]


@dataclass(frozen=True)
class Problem:
    """A data set and a network, small enough for a processor.

    Attributes:
        data: Name of the data set.
        network: Name of the network.
        epochs: Number of epochs.
        steps: Batches of an epoch, at most.
        batch_size: Rows of a batch.
        learning_rate: Of AdamW, falling to 0 along a half cosine.
        samples: Test rows that are explained.
        coalitions: Model evaluations of KernelShap.
    """

    data: Data
    network: Network
    epochs: int
    steps: int
    batch_size: int
    learning_rate: float
    samples: int
    coalitions: int = 96


PROBLEMS: dict[str, Problem] = {
    "sst2/transformer": Problem("sst2", "transformer", 1, 200, 64, 2e-3, 80),
    "ag_news/transformer": Problem("ag_news", "transformer", 1, 150, 64, 2e-3, 80),
    "cifar10/resnet": Problem("cifar10", "resnet", 4, 70, 128, 2e-3, 120),
    "cifar10/vit": Problem("cifar10", "vit", 4, 70, 128, 1e-3, 120),
    "sst2/minilm": Problem("sst2", "minilm", 1, 120, 16, 5e-4, 40, 48),
    "ag_news/minilm": Problem("ag_news", "minilm", 1, 120, 16, 5e-4, 40, 48),
}
"""By name, in the order in which they are run."""


@dataclass(frozen=True)
class Method:
    """How a network is trained: PEAR, or plainly with weight 0.

    Attributes:
        weight: λ.
        rows: Share of the rows of a batch that is explained, but at least ``LEAST_ROWS``.
    """

    weight: float
    rows: float = 0.125


LEAST_ROWS = 8
"""As many as the shipped configurations explain of a batch of texts."""

METHODS: dict[str, Method] = {
    "plain": Method(0.0),
    "PEAR": Method(0.2),
    "PEAR, 1/4 of the rows": Method(0.2, 0.25),
    "PEAR, λ = .5": Method(0.5),
}
"""By name; PEAR has the weight and the rows of the shipped configurations."""

CLASSES: dict[str, int] = {"cifar10": 10, "ag_news": 4, "sst2": 2}
MAX_TOKENS = 48
VOCABULARY = 8000
PATCH = 4
NODES = 3
"""Nodes of integrated gradients in training, as in the shipped configurations."""
MEASURED_NODES = 10
CURVE_STEPS = 12
SUBSETS = 40
TITLES: dict[str, str] = {
    "cifar10/resnet": "CIFAR-10, ResNet-18 (1/4 width)",
    "cifar10/vit": "CIFAR-10, small ViT",
    "ag_news/transformer": "AG News, small transformer",
    "sst2/transformer": "SST-2, small transformer",
    "ag_news/minilm": "AG News, MiniLM",
    "sst2/minilm": "SST-2, MiniLM",
}
