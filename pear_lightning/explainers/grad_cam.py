"""Grad-CAM that supports training."""

from torch import Tensor

from pear_lightning.explainers.class_activation import ClassActivation
from pear_lightning.scoring.layer_gradients import layer_gradients_at
from pear_lightning.scoring.scorer import Scorer


class GradCAM(ClassActivation):
    r"""Sum of the channels of a layer, weighted by their mean gradients.

    .. math:: S = \mathrm{ReLU}\Big( \sum_k \alpha_k A^k \Big), \qquad
              \alpha_k = \frac{1}{Z} \sum_{i,j} \frac{\partial f}{\partial A^k_{ij}}

    Gradients flow from the attributions to the weights of the layers before and after the named
    one, so a loss of the attributions can train a model; Captum's Grad-CAM cannot. The scalar f is
    the one given to :func:`~pear_lightning.explainers.explain`. This explainer runs its own forward
    and backward pass, and ``torch.compile`` cannot trace it.

    Args:
        layer: Name of a layer of the model (``named_modules``) whose output has channels and
            positions, ``(B, K, *L)``, usually the last convolution. If a method or a submodule is
            explained, the name is relative to its module.
        relu: Whether to keep positive evidence only; otherwise the map is signed.
        resize: Whether to interpolate the map to the positions of the inputs and repeat it for each
            channel; otherwise it has shape ``(B, 1, *L)``.

    Raises:
        TypeError: When called, if the layer does not return one tensor.
        ValueError: When called, if the model has no such layer or calls it more than once, or the
            layer's output or the inputs have no positions.

    Shapes:
        - inputs: ``(B, C, *S)`` with one to three dimensions S
        - attributions: ``(B, C, *S)``, or ``(B, 1, *L)`` without ``resize``

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
        ... )
        >>> _, (attributions,) = explain(model, torch.rand(5, 3, 9, 9), 1, [GradCAM("1")])
        >>> attributions.shape
        torch.Size([5, 3, 9, 9])

    References:
        Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra, *Grad-CAM: Visual Explanations from Deep
        Networks via Gradient-based Localization*, ICCV 2017, arXiv 1610.02391, equations 1 and 2.
    """

    differentiable = True

    def activation_and_weights(self, scorer: Scorer, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the layer, and the mean gradients of its channels.

        Args:
            scorer: Evaluates the explained scalar.
            inputs: Inputs, ``(B, C, *S)``.
        """
        _, activation, gradients = layer_gradients_at(scorer, inputs, self.layer)
        return self.checked(activation), gradients.flatten(2).mean(dim=2)
