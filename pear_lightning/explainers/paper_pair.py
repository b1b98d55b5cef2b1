"""The pair of explainers that the PEAR paper trains to agree."""

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.explainers.integrated_gradients import IntegratedGradients


def paper_pair(n_steps: int) -> dict[str, Explainer]:
    """Return the pair that the paper trains: the gradient and the average gradient.

    Args:
        n_steps: Query points of the integral.

    Returns:
        ``gradient`` and ``integrated_gradients`` (from the training mean, not times the input).
    """
    integrated = IntegratedGradients(n_steps, baseline="mean", multiply_by_inputs=False)
    return {"gradient": Gradient(), "integrated_gradients": integrated}
