"""Input times gradient."""

from torch import Tensor

from pear_lightning.explainers.base import GradientExplainer, Query
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec


class InputXGradient(GradientExplainer):
    r"""Gradient times the difference of the input and a baseline.

    .. math:: a = (x - b) \odot \nabla_x f(x)

    With ``b = 0`` this is the usual input times gradient. With another baseline it is the
    first-order contribution of each feature relative to that baseline, comparable with integrated
    gradients and Shapley values of the same baseline.

    Args:
        baseline: ``"zeros"``, ``"mean"`` (of the training data), a number, or a tensor ``(*S)``.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model, inputs = torch.nn.Linear(3, 2), torch.rand(4, 3)
        >>> _, (attributions,) = explain(model, inputs, 0, [InputXGradient()])
        >>> bool(torch.allclose(attributions, inputs * model.weight[0]))
        True

    References:
        Shrikumar, Greenside, Shcherbina, Kundaje, *Not Just a Black Box*, 2016, arXiv 1605.01713.

    Deviations from the paper:
        The paper's baseline is zero; other baselines are an extension.
    """

    def __init__(self, baseline: FixedSpec = "zeros") -> None:
        super().__init__()
        self.baseline = FixedBaseline(baseline)

    def query(self, inputs: Tensor) -> Query:
        """Return a query for the gradient at the inputs, with the weights ``x - b``.

        Args:
            inputs: Inputs, ``(B, *S)``.
        """
        return Query(points=None, weights=(inputs - self.baseline(inputs))[None])
