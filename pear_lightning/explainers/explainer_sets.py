"""Sets of explainers that modules and losses use where none are given."""

from collections.abc import Mapping

from torch import nn

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.explainers.input_x_gradient import InputXGradient
from pear_lightning.explainers.integrated_gradients import IntegratedGradients
from pear_lightning.explainers.kernel_shap import KernelShap
from pear_lightning.explainers.lime import Lime
from pear_lightning.explainers.random_attributions import RandomAttributions
from pear_lightning.explainers.smooth_grad import SmoothGrad


def paper_pair(n_steps: int) -> dict[str, Explainer]:
    """Return the pair that the paper trains: the gradient and the average gradient.

    Args:
        n_steps: Query points of the integral.

    Returns:
        ``gradient`` and ``integrated_gradients`` (from the training mean, not times the input).
    """
    integrated = IntegratedGradients(n_steps, baseline="mean", multiply_by_inputs=False)
    return {"gradient": Gradient(), "integrated_gradients": integrated}


def comparison_set() -> dict[str, Explainer]:
    """Return the explainers that a test compares by default: the paper's six, and chance.

    Where an explainer measures contributions, it measures them from the training mean. Gradient,
    integrated gradients and SmoothGrad are slopes; the others are contributions, so even a
    linear model's explanations do not all agree.

    Returns:
        Explainers by name.
    """
    return {
        **paper_pair(n_steps=20),
        "input_x_gradient": InputXGradient(baseline="mean"),
        "smooth_grad": SmoothGrad(n_samples=50, noise_std=0.1),
        "lime": Lime(baseline="mean"),
        "kernel_shap": KernelShap(baseline="mean"),
        "random": RandomAttributions(),
    }


def explainer_set(argument: str, explainers: Mapping[str, Explainer]) -> nn.ModuleDict:
    """Check a set of explainers and make it part of a module.

    Args:
        argument: Name of the argument they came from, for messages.
        explainers: Explainers by name.

    Returns:
        The explainers as modules, in the same order.

    Raises:
        TypeError: If a value is not an explainer.
        ValueError: If there are fewer than two.
    """
    if len(explainers) < 2:
        raise ValueError(
            f"{argument} must name two or more explainers to compare, got {sorted(explainers)}"
        )
    for name, explainer in explainers.items():
        if not isinstance(explainer, Explainer):
            raise TypeError(
                f"{argument}[{name!r}] must be an Explainer, got {type(explainer).__name__}"
            )
    return nn.ModuleDict(explainers)
