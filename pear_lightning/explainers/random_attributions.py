"""Random attributions."""

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.functional.hashed_random import (
    derived_seeds,
    hashed_normal,
    placed,
    sample_seeds,
)
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.scoring.fingerprint import tokens_of
from pear_lightning.scoring.scorer import Scorer


class RandomAttributions(Explainer):
    r"""Random attributions: the chance level of measures of agreement and faithfulness.

    .. math:: a_i \sim N(0, 1), \text{ independent}

    The model is not called.

    Args:
        seed: Seed of the draws. ``None`` draws for each sample from torch's global generator.
        per_sample: With a seed, whether each sample has draws of its own, computed from its values,
            which is chance level and does not depend on the batch, nor on padding (an
            ``attention_mask``); otherwise one draw is shared by all samples of one shape and all
            calls.

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

    def __init__(self, *, seed: int | None = None, per_sample: bool = False) -> None:
        super().__init__()
        self.seed = seed
        self.per_sample = per_sample
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
            scorer: Holds the samples; the model is not evaluated.
            inputs: Inputs, ``(B, *S)``.
        """
        like = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        if self.per_sample and self.seed is not None:
            where = tokens_of(scorer.batch)
            seeds = sample_seeds(inputs, where=where)
            seeds = derived_seeds(seeds, "random attributions", self.seed)
            draw = torch.zeros(1, dtype=torch.long, device=inputs.device)
            values = hashed_normal(seeds, draw, inputs.shape[1:].numel())
            return placed(values, inputs, where)[0].to(like)
        return (
            random_draws("normal", 1, like, inputs.shape[1:], self.seed)[0]
            .expand(inputs.shape)
            .clone()
        )

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"seed={self.seed}, per_sample={self.per_sample}"
