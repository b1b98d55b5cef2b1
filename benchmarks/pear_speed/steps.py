"""Training steps that are compared, all from the same weights on the same data."""

from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.pear_speed import authors_way
from pear_lightning.explainers import Explainer
from pear_lightning.explainers.explainer_sets import paper_pair
from pear_lightning.modules import PEAR
from pear_lightning.modules.base import adamw
from pear_lightning.nn import MLP

Step = Callable[[], None]
TRAIN_ROWS = 8192  # about as many as Bank Marketing has


class Shape(NamedTuple):
    """A network and a batch."""

    name: str
    in_features: int
    hidden: tuple[int, ...]
    batch_size: int


SHAPES = (
    Shape("MLP 8-100-100-100-2, batch 64", 8, (100, 100, 100), 64),
    Shape("MLP 8-100-100-100-2, batch 1024", 8, (100, 100, 100), 1024),
    Shape("MLP 64-1024-1024-1024-2, batch 256", 64, (1024, 1024, 1024), 256),
)
VARIANTS = {
    "plain": "(a) plain cross-entropy",
    "authors": "(b) the authors' way, 20 nodes",
    "paper": "(c) ours, 20 nodes, the paper's settings",
    "default": "(d) ours, 5 nodes, rows normalised",
    "default_compiled": "(e) as (d), compiled",
    "paper_compiled": "(f) as (c), compiled",
}
POINTS = {"authors": 21, "paper": 21, "default": 6, "default_compiled": 6, "paper_compiled": 21}


class Problem:
    """Random rows in [0, 1] with a target that can be learned, in batches."""

    def __init__(self, shape: Shape, device: str, n_rows: int = TRAIN_ROWS) -> None:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.rand(n_rows, shape.in_features, generator=generator, dtype=torch.float64)
        teacher = torch.randn(shape.in_features, generator=generator, dtype=torch.float64)
        score = (inputs - 0.5) @ teacher + (3 * inputs[:, 0]).sin() - 0.8
        self.shape = shape
        self.device = device
        self.inputs = inputs.to(device)
        self.target = (score > score.median()).long().to(device)

    def network(self) -> MLP:
        """Return a network with the same weights every time."""
        torch.manual_seed(0)
        return MLP(self.shape.in_features, hidden_features=self.shape.hidden).to(self.device)

    def batches(self, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches without end."""
        rows = self.inputs.to(dtype).split(self.shape.batch_size)
        return cycle(list(zip(rows, self.target.split(self.shape.batch_size), strict=True)))


def fitted_module(
    problem: Problem, *, paper: bool, compile: bool = False, backbone: nn.Module | None = None
) -> PEAR:
    """Return the module, with its baseline fitted.

    Args:
        problem: Data and network.
        paper: The paper's settings (20 nodes, raw rows, strength 0.2) or the library's.
        compile: Whether to compile the objective.
        backbone: A network other than the problem's.

    Returns:
        The module.
    """
    explainers = paper_pair(n_steps=20) if paper else None
    module = PEAR(
        problem.network() if backbone is None else backbone,
        explainers=explainers,
        normalize="none" if paper else "max",
        compile=compile,
    ).to(problem.device)
    inputs = problem.inputs.float()
    for each in module.modules():
        if isinstance(each, Explainer):
            each.fit_reference(inputs.mean(0), inputs)
    return module


def loss_function(variant: str, problem: Problem) -> tuple[nn.Module, Callable[[], Tensor]]:
    """Return a network, and a function that computes the loss of the next batch.

    Args:
        variant: Key of :data:`VARIANTS`.
        problem: Data and network.

    Returns:
        The network and the function.
    """
    if variant == "authors":
        network = problem.network()
        batches = problem.batches(torch.float64)
        return network, lambda: authors_way.training_loss(network, *next(batches), problem.inputs)
    batches = problem.batches(torch.float32)
    if variant == "plain":
        network = problem.network()

        def cross_entropy() -> Tensor:
            inputs, target = next(batches)
            return F.cross_entropy(network(inputs), target)

        return network, cross_entropy
    compiled = variant.endswith("_compiled")
    module = fitted_module(problem, paper=variant.startswith("paper"), compile=compiled)
    return module.backbone, lambda: module.training_loss(*next(batches))["loss"]


def training_step(variant: str, problem: Problem) -> Step:
    """Return a function that does one step: forward, loss, backward, optimiser.

    Args:
        variant: Key of :data:`VARIANTS`.
        problem: Data and network.

    Returns:
        The function.
    """
    network, loss = loss_function(variant, problem)
    optimizer = adamw(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def multiplications(shape: Shape, variant: str) -> int:
    """Count the multiply-adds of a training step's matrix products.

    A pass of one row through the network takes W, the number of weights. A plain step takes W
    forward, W for the gradients of the weights, and W less the first layer for those of the
    activations. A query point takes W forward and W for its gradient; training through the
    gradient takes W each for the weights and for the incoming gradients (but the last layer's,
    which is a constant), and the same as a plain step's backward through the forward pass.

    Args:
        shape: Network and batch.
        variant: Key of :data:`VARIANTS`.

    Returns:
        The number for one batch.
    """
    widths = (shape.in_features, *shape.hidden, 2)
    layers = [a * b for a, b in pairwise(widths)]
    weights = sum(layers)
    plain = 3 * weights - layers[0]
    point = 2 * weights + (2 * weights - layers[-1]) + (2 * weights - layers[0])
    per_row = plain if variant == "plain" else POINTS[variant] * point
    if variant == "authors":
        per_row += plain  # the task loss has a forward pass of its own
    return per_row * shape.batch_size
