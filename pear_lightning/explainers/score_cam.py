"""Score-CAM."""

import torch
from torch import Tensor

from pear_lightning.explainers.class_activation import ClassActivation
from pear_lightning.scoring.layer_output import layer_output_at
from pear_lightning.scoring.scorer import Scorer

_CHANNELS_PER_PASS = 16


class ScoreCAM(ClassActivation):
    r"""Sum of the channels of a layer, weighted by the score of the input masked with each channel.

    .. math:: S = \mathrm{ReLU}\Big( \sum_k w_k A^k \Big), \qquad
              w = \mathrm{softmax}_k \, f(x ∘ H^k), \qquad
              H^k = \frac{U^k - \min U^k}{\max U^k - \min U^k}

    U is a channel, interpolated to the positions of the inputs; a constant channel masks
    everything. The model is evaluated K + 1 times for each sample and never differentiated, so it
    need not be differentiable, and attributions carry no gradients.

    Args:
        layer: See :class:`~pear_lightning.explainers.GradCAM`.
        relu: See there.
        resize: See there.

    Raises:
        TypeError: When called, if the layer does not return one tensor.
        ValueError: When called, as for :class:`~pear_lightning.explainers.GradCAM`.

    Shapes:
        - inputs: ``(B, C, *S)`` with one to three dimensions S
        - attributions: ``(B, C, *S)``, or ``(B, 1, *L)`` without ``resize``

    Example:
        >>> from pear_lightning.explainers import explain
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
        ... )
        >>> _, (attributions,) = explain(model, torch.rand(5, 3, 9, 9), 1, [ScoreCAM("1")])
        >>> attributions.shape
        torch.Size([5, 3, 9, 9])

    References:
        Wang, Wang, Du, Yang, Zhang, Ding, Mardziel, Hu, *Score-CAM: Score-Weighted Visual
        Explanations for Convolutional Neural Networks*, CVPR Workshops 2020, arXiv 1910.01279,
        algorithm 1. The score of the paper is the increase over a baseline image, which the softmax
        cancels.
    """

    @property
    def takes_gradients(self) -> bool:
        """Whether the model is differentiated: no."""
        return False

    @torch.no_grad()
    def activation_and_weights(self, scorer: Scorer, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the layer, and the weights of its channels.

        Args:
            scorer: Evaluates the explained scalar.
            inputs: Inputs, ``(B, C, *S)``.
        """
        activation = self.checked(layer_output_at(scorer, inputs, self.layer))
        scores = []
        for channels in activation.split(scorer.points_per_pass or _CHANNELS_PER_PASS, dim=1):
            maps = self.resized(channels, inputs)
            flat = maps.flatten(2)
            low, high = flat.amin(dim=2), flat.amax(dim=2)
            width = (high - low).where(high > low, 1)
            shape = (*maps.shape[:2], *(1,) * (maps.ndim - 2))
            masks = (maps - low.view(shape)) / width.view(shape)
            points = inputs * masks.transpose(0, 1)[:, :, None].to(inputs.dtype)
            scores.append(scorer.evaluate(points)[0])
        return activation, torch.cat(scores).to(activation.dtype).T.softmax(dim=1)
