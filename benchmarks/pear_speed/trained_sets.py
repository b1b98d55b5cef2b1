"""Explainers that are trained to agree, and what makes that cheaper."""

from typing import NamedTuple

from benchmarks.pear_speed.problem import Problem
from benchmarks.shared.shape import Shape
from pear_lightning.explainers import (
    Explainer,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
)
from pear_lightning.explainers.explainer_sets import paper_pair
from pear_lightning.modules import PEAR

COALITIONS = 32


class Lever(NamedTuple):
    """On how many rows and steps the consensus loss is computed.

    Attributes:
        rows: Share of the rows of a batch; ``None`` for all.
        every: Distance of the steps.
        compiled: Whether the consensus loss is compiled.
    """

    rows: float | None = None
    every: int = 1
    compiled: bool = False


LEVERS = {
    "all rows": Lever(),
    "rows=1/4": Lever(rows=1 / 4),
    "rows=1/8": Lever(rows=1 / 8),
    "every=4": Lever(every=4),
    "rows=1/4, every=4": Lever(rows=1 / 4, every=4),
    "rows=1/8, every=4": Lever(rows=1 / 8, every=4),
}
COMPILED = "rows=1/8, every=4, compile=True"


def levers_of(trained: str, shape: Shape, *, compiled: bool) -> dict[str, Lever]:
    """Return the levers that are measured for a set of explainers.

    Args:
        trained: Key of :data:`SETS`.
        shape: Network and batch; copies of all rows are left out on a wide network, because they
            take too long.
        compiled: Whether compiled variants are wanted, for one of the sets.
    """
    _, copies = points_and_copies(trained, shape.in_features)
    if copies and max(shape.hidden) > 1000:
        return {name: lever for name, lever in LEVERS.items() if lever.rows is not None}
    if not compiled or trained != "contributions":
        return LEVERS
    return LEVERS | {COMPILED: LEVERS["rows=1/8, every=4"]._replace(compiled=True)}


SETS = {
    "contributions": "gradient x input and integrated gradients, 3 points (shipped configurations)",
    "paper_pair": "gradient and average gradient, 5 points (default of `PEAR`)",
    "shap_lime": f"`KernelShap` and `Lime(penalty='ridge')`, {COALITIONS} coalitions each",
    "occlusion_lime": f"`Occlusion` and `Lime(penalty='ridge')`, {COALITIONS} coalitions",
}


def explainers_of(name: str) -> dict[str, Explainer]:
    """Return the explainers of a set.

    Args:
        name: Key of :data:`SETS`.
    """
    if name == "paper_pair":
        return paper_pair(n_steps=5)
    if name == "contributions":
        return {
            "input_x_gradient": InputXGradient(baseline="mean"),
            "integrated_gradients": IntegratedGradients(3, baseline="mean"),
        }
    lime = Lime(COALITIONS, baseline="mean", penalty="ridge")
    if name == "shap_lime":
        return {"kernel_shap": KernelShap(COALITIONS, baseline="mean"), "lime": lime}
    return {"occlusion": Occlusion(baseline="mean"), "lime": lime}


def points_and_copies(name: str, n_features: int) -> tuple[int, int]:
    """Return the query points and the perturbed copies of a sample, the sample itself included.

    Args:
        name: Key of :data:`SETS`.
        n_features: Features of a sample.
    """
    return {
        "contributions": (4, 0),
        "paper_pair": (6, 0),
        "shap_lime": (0, 2 * COALITIONS),  # the sample is one of KernelShap's coalitions
        "occlusion_lime": (0, 1 + n_features + COALITIONS),
    }[name]


def pear_of(name: str, problem: Problem) -> PEAR:
    """Return a module that trains a set, with its baselines fitted.

    Args:
        name: Key of :data:`SETS`.
        problem: Data and network.
    """
    module = PEAR(
        problem.network(),
        consensus_weight=0.35,
        spearman_weight=0.75,
        explainers=explainers_of(name),
    ).to(problem.device)
    problem.fit_explainers(module)
    return module
