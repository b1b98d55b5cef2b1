"""Training steps that are compared, all from the same weights on the same data."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.pear_speed import authors_way
from benchmarks.pear_speed.problem import Problem
from benchmarks.shared.training_step import Step, training_step
from pear_lightning.explainers.explainer_sets import paper_pair
from pear_lightning.modules import PEAR
from pear_lightning.modules.base import adamw

VARIANTS = {
    "plain": "(a) plain cross-entropy",
    "authors": "(b) the authors' way, 20 nodes",
    "paper": "(c) ours, 20 nodes, the paper's settings",
    "default": "(d) ours, 5 nodes, rows normalised",
    "default_compiled": "(e) as (d), compiled",
    "paper_compiled": "(f) as (c), compiled",
}


def fitted_module(
    problem: Problem, *, paper: bool, compile: bool = False, backbone: nn.Module | None = None
) -> PEAR:
    """Return the module, with its baseline fitted.

    Args:
        problem: Data and network.
        paper: The paper's settings (20 nodes, the logit, raw rows, strength 0.2) or the library's.
        compile: Whether to compile the objective.
        backbone: A network other than the problem's.

    Returns:
        The module.
    """
    explainers = paper_pair(n_steps=20) if paper else None
    module = PEAR(
        problem.network() if backbone is None else backbone,
        explainers=explainers,
        output="logit" if paper else "centered_logit",
        normalize="none" if paper else "max",
        compile=compile,
    ).to(problem.device)
    problem.fit_explainers(module)
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
    return module.backbone, lambda: module.training_loss(next(batches))["loss"]


def step_of(variant: str, problem: Problem) -> Step:
    """Return a function that does one step: forward, loss, backward, optimiser.

    Args:
        variant: Key of :data:`VARIANTS`.
        problem: Data and network.

    Returns:
        The function.
    """
    network, loss = loss_function(variant, problem)
    return training_step(adamw(network.parameters()), loss)
