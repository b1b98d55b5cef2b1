"""Sets of explainers that modules and losses use by default."""

import re
from collections.abc import Mapping, Sequence

from torch import nn

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.explainers.input_x_gradient import InputXGradient
from pear_lightning.explainers.integrated_gradients import IntegratedGradients
from pear_lightning.explainers.kernel_shap import KernelShap
from pear_lightning.explainers.lime import Lime
from pear_lightning.explainers.random_attributions import RandomAttributions
from pear_lightning.explainers.smooth_grad import SmoothGrad

_WORD_START = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"

Explainers = dict[str, Explainer] | list[Explainer]
"""Explainers by name, or a list of them."""


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


def named_explainers(
    argument: str, explainers: Mapping[str, Explainer] | Sequence[Explainer], *, least: int = 1
) -> dict[str, Explainer]:
    """Check a set of explainers and return them by name, in the same order.

    Args:
        argument: Name of the argument that holds the explainers, for error messages.
        explainers: Explainers by name; or a sequence, whose explainers are named after their
            classes (``integrated_gradients``), and with a number from the second of a class on.
        least: Smallest number of explainers, 1 or 2.

    Raises:
        TypeError: If a value is not an explainer.
        ValueError: If there are too few.

    Example:
        >>> list(named_explainers("explainers", [InputXGradient(), KernelShap(), KernelShap(64)]))
        ['input_x_gradient', 'kernel_shap', 'kernel_shap_2']
    """
    given: object = explainers
    if not isinstance(given, Mapping | Sequence):
        raise TypeError(
            f"{argument} must be explainers by name, or a sequence of them, got "
            f"{type(given).__name__}"
        )
    named: dict[str, Explainer] = {}
    if isinstance(explainers, Mapping):
        named.update(explainers)
    else:
        for place, explainer in enumerate(explainers):
            if not isinstance(explainer, Explainer):
                raise TypeError(f"{argument}[{place}] must be an Explainer, got {_kind(explainer)}")
            name = re.sub(_WORD_START, "_", type(explainer).__name__).lower()
            number = sum(type(other) is type(explainer) for other in named.values()) + 1
            named[name if number == 1 else f"{name}_{number}"] = explainer
    for name, explainer in named.items():
        if not isinstance(explainer, Explainer):
            raise TypeError(f"{argument}[{name!r}] must be an Explainer, got {_kind(explainer)}")
    if len(named) < least:
        if least == 1:
            raise ValueError(f"{argument} must hold at least one explainer, got none")
        raise ValueError(
            f"{argument} must name two or more explainers to compare, got {list(named)}"
        )
    return named


def explainer_set(
    argument: str, explainers: Mapping[str, Explainer] | Sequence[Explainer]
) -> nn.ModuleDict:
    """Return a set of two or more explainers as a ``ModuleDict``; see :func:`named_explainers`.

    Args:
        argument: Name of the argument that holds the explainers, for error messages.
        explainers: Explainers, by name or as a list.

    Raises:
        TypeError: If a value is not an explainer.
        ValueError: If there are fewer than two.
    """
    return nn.ModuleDict(named_explainers(argument, explainers, least=2))


def how_to_train(explainer: Explainer) -> str:
    """Return the end of an error message about an explainer that cannot train a model.

    Args:
        explainer: An explainer that is not differentiable.

    Example:
        >>> how_to_train(Lime()).partition("; ")[2]
        "use Lime(..., penalty='ridge')"
    """
    instead = "gradient explainers, KernelShap, Occlusion or Lime(penalty='ridge')"
    if isinstance(explainer, Lime):
        instead = "Lime(..., penalty='ridge')"
    return f"whose attributions carry no gradient to the weights; use {instead}"


def _kind(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__
