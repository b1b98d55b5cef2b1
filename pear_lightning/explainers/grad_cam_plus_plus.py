"""Grad-CAM++."""

import torch
from torch import Tensor

from pear_lightning.explainers.class_activation import ClassActivation
from pear_lightning.scoring.layer_gradients import layer_gradients_at
from pear_lightning.scoring.scorer import Scorer


class GradCAMPlusPlus(ClassActivation):
    r"""Sum of the channels of a layer, weighted by a weighted sum of their positive gradients.

    .. math:: S = \mathrm{ReLU}\Big( \sum_k w_k A^k \Big), \qquad
              w_k = \sum_{i,j} \alpha^k_{ij} \,
                    \mathrm{ReLU}\Big( \frac{\partial f}{\partial A^k_{ij}} \Big), \qquad
              \alpha^k_{ij} = \frac{g^2}{2 g^2 + g^3 \sum_{a,b} A^k_{ab}}, \quad
              g = \frac{\partial f}{\partial A^k_{ij}}

    α is 0 where g is 0. The powers of g stand for the second and the third derivative of exp(f)
    with respect to the layer, which they equal, up to the factor exp(f), if the rest of the network
    is piecewise linear. The output of the layer must not be negative, as after a ReLU; otherwise
    the denominator can vanish.

    As with :class:`~pear_lightning.explainers.GradCAM`, gradients flow to the weights of the model,
    and the explainer runs its own forward and backward pass.

    Args:
        layer: See :class:`~pear_lightning.explainers.GradCAM`.
        relu: See there.
        resize: See there.

    Raises:
        TypeError: When called, if the layer does not return one tensor.
        ValueError: When called, as for :class:`~pear_lightning.explainers.GradCAM`, and if the
            layer's output is negative somewhere.

    Shapes:
        - inputs: ``(B, C, *S)`` with one to three dimensions S
        - attributions: ``(B, C, *S)``, or ``(B, 1, *L)`` without ``resize``

    Example:
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
        ... )
        >>> _, (attributions,) = explain(model, torch.rand(5, 3, 9, 9), 1, [GradCAMPlusPlus("1")])
        >>> attributions.shape
        torch.Size([5, 3, 9, 9])

    References:
        Chattopadhay, Sarkar, Howlader, Balasubramanian, *Grad-CAM++: Generalized Gradient-based
        Visual Explanations for Deep Convolutional Networks*, WACV 2018, arXiv 1710.11063,
        section 3.2.

    Deviations from the paper:
        The factor exp(f) of all weights is left out. It scales the map of a sample, and overflows
        for large logits.
    """

    differentiable = True

    def activation_and_weights(self, scorer: Scorer, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the layer, and the weights of its channels.

        Args:
            scorer: Evaluates the explained scalar.
            inputs: Inputs, ``(B, C, *S)``.
        """
        _, activation, gradients = layer_gradients_at(scorer, inputs, self.layer)
        values, g = self.checked(activation).flatten(2), gradients.flatten(2)
        if bool((values < 0).any()):
            raise ValueError(
                f"layer {self.layer!r} must not have a negative output, as after a ReLU, got "
                f"{values.min().item():.3g}; name the layer of its activation, or use GradCAM"
            )
        # g² / (2 g² + g³ Σ A), divided by g², which may underflow; only g > 0 counts
        alpha = torch.where(g > 0, 1 / (2 + g.relu() * values.sum(dim=2, keepdim=True)), 0)
        return activation, (alpha * g.relu()).sum(dim=2)
