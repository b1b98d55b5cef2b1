"""The gradient of the explained scalar."""

from torch import Tensor

from pear_lightning.explainers.base import GradientExplainer, Query


class Gradient(GradientExplainer):
    r"""Gradient at the input, signed ("vanilla gradient", "saliency").

    .. math:: a = \nabla_x f(x)

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Linear(3, 2)
        >>> _, (attributions,) = explain(model, torch.rand(4, 3), 1, [Gradient()])
        >>> bool(torch.allclose(attributions[0], model.weight[1]))
        True

    References:
        Simonyan, Vedaldi, Zisserman, *Deep Inside Convolutional Networks*, 2013,
        arXiv 1312.6034, section 3.
    """

    def query(self, inputs: Tensor) -> Query:
        """Return a query for the gradient at the inputs.

        Args:
            inputs: Inputs, ``(B, *S)``.
        """
        return Query(points=None)
