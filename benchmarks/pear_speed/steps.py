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
from pear_lightning.training.objective import Compilation

VARIANTS = {
    "plain": "(a) plain cross-entropy",
    "authors": "(b) the authors' way, 20 nodes",
    "paper": "(c) ours, 20 nodes, the paper's settings",
    "default": "(d) ours, 5 nodes, rows normalised",
    "default_compiled": "(e) as (d), compiled",
    "paper_compiled": "(f) as (c), compiled",
    "default_graphs": "(g) as (d), compiled with CUDA graphs",
}


def measurable(device: str, *, compiled: bool = True) -> list[str]:
    """Return the variants that a device can run.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        compiled: Whether compiled variants are wanted.
    """
    left_out = () if device == "cuda" else ("default_graphs",)
    return [each for each in VARIANTS if each not in left_out and (compiled or not mode_of(each))]


def mode_of(variant: str) -> Compilation:
    """Return how a variant is compiled.

    Args:
        variant: Key of :data:`VARIANTS`.
    """
    if variant.endswith("_graphs"):
        return "reduce-overhead"
    return variant.endswith("_compiled")


def fitted_module(
    problem: Problem,
    *,
    paper: bool,
    compile: Compilation = False,
    backbone: nn.Module | None = None,
) -> PEAR:
    """Return the module, with its baseline fitted.

    Args:
        problem: Data and network.
        paper: The paper's settings (20 nodes, the logit, raw rows, strength 0.2) or the library's.
        compile: Whether to compile the objective, or the mode of ``torch.compile``.
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
    module = fitted_module(problem, paper=variant.startswith("paper"), compile=mode_of(variant))
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
