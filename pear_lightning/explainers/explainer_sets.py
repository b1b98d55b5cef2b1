"""Sets of explainers that modules and losses use by default."""

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
    """Return the two explainers of the PEAR paper: the gradient and the average gradient.

    Args:
        n_steps: Number of query points of the integral.

    Returns:
        ``gradient`` and ``integrated_gradients`` (from the training mean, without the factor
        ``x - b``).
    """
    integrated = IntegratedGradients(n_steps, baseline="mean", multiply_by_inputs=False)
    return {"gradient": Gradient(), "integrated_gradients": integrated}


def comparison_set() -> dict[str, Explainer]:
    """Return the explainers compared by default, by name: the paper's six and a random one.

    Explainers with a baseline measure contributions from the training mean. Gradient, integrated
    gradients and SmoothGrad are slopes and the others are contributions, so the explanations do not
    all agree even for a linear model.
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
    """Check a set of explainers and return them as a ``ModuleDict``, in the same order.

    Args:
        argument: Name of the argument that holds the explainers, for error messages.
        explainers: Explainers by name.

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
