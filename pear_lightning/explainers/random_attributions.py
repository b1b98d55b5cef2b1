"""Random attributions."""

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.scoring.scorer import Scorer


class RandomAttributions(Explainer):
    r"""Random attributions: the chance level of measures of agreement and faithfulness.

    .. math:: a_i \sim N(0, 1), \text{ independent}

    The model is not called.

    Args:
        seed: Seed of one draw shared by all samples and calls, which makes the explanation constant
            and independent of the batch. Use ``None`` for chance level: it draws for each sample
            from torch's global generator.

    Shapes:
        - inputs: ``(B, *S)``
        - attributions: ``(B, *S)``, float32 or better

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> model, inputs = torch.nn.Linear(3, 2), torch.rand(4, 3)
        >>> _, (attributions,) = explain(model, inputs, 0, [RandomAttributions(seed=0)])
        >>> attributions.shape, bool((attributions[0] == attributions[1]).all())
        (torch.Size([4, 3]), True)
    """

    def __init__(self, *, seed: int | None = None) -> None:
        super().__init__()
        self.seed = seed
        self.stochastic = seed is None

    @property
    def takes_gradients(self) -> bool:
        """Whether the explainer takes gradients of the model: no."""
        return False

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether inputs must be floating point; any inputs have random attributions."""
        return False

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return random numbers in the shape of the inputs, ``(B, *S)``.

        Args:
            scorer: Not used.
            inputs: Inputs, ``(B, *S)``.
        """
        like = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        return (
            random_draws("normal", 1, like, inputs.shape[1:], self.seed)[0]
            .expand(inputs.shape)
            .clone()
        )

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"seed={self.seed}"
