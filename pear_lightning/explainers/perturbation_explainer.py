"""What explainers that remove features share."""

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform, sample_seeds
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game
from pear_lightning.scoring.scorer import Scorer


class PerturbationExplainer(Explainer):
    """An explainer that looks at the model with features removed, and needs no gradient.

    Features are those of a masker, or without one the elements of an input, which take the value
    of a baseline. The masker's baseline is part of the explainer's state.

    Args:
        baseline: What removed elements become, without a masker; None is ``"zeros"``.
        masker: What features are, and what they become when they are removed.

    Raises:
        TypeError: If ``masker`` is not a masker.
        ValueError: If both are given.
    """

    baseline: Baseline

    def __init__(self, baseline: FixedSpec | None, masker: Masker | None) -> None:
        super().__init__()
        if masker is not None and not isinstance(masker, Masker):
            raise TypeError(
                "masker must be a Masker such as PatchMasker(16), got "
                f"{masker.__name__ if isinstance(masker, type) else type(masker).__name__}"
            )
        if masker is not None and baseline is not None:
            raise ValueError(
                f"baseline={baseline!r} is given beside masker={masker!r}, which has one of its "
                "own: give the baseline to the masker"
            )
        self.masker = masker
        if masker is None:
            self.baseline = FixedBaseline("zeros" if baseline is None else baseline)
        else:
            self.baseline = masker.baseline  # a module: follows the device, lives in checkpoints

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether token ids cannot be explained; a masker knows what replaces them."""
        return self.masker is None

    def game(self, scorer: Scorer, inputs: Tensor) -> Game:
        """Return the model as a game of the inputs' features.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            The game.
        """
        if self.masker is not None:
            return Game(scorer, self.masker.bind(inputs, scorer.batch.sample_data, validate=False))
        shape = inputs.shape[1:]
        elements = torch.arange(shape.numel(), device=inputs.device).view(1, *shape)
        return Game(scorer, BoundMasker(inputs, elements, shape.numel(), self.baseline))

    def uniform(self, n_draws: int, size: int, inputs: Tensor, seed: int | None) -> Tensor:
        """Return random numbers in [0, 1) for coalitions, in float32.

        Args:
            n_draws: Number of coalitions K.
            size: Numbers of each. With a masker and a seed the first ones do not depend on it, so
                that a sample's do not depend on the number of features of another one.
            inputs: Inputs, ``(B, *S)``.
            seed: With a seed, the same numbers for every sample; None draws for each from torch's
                global generator.

        Returns:
            ``(K, B, size)``, or ``(K, 1, size)`` where shared.
        """
        if self.masker is not None and seed is not None:
            shared = sample_seeds(torch.zeros(1, 1, device=inputs.device), seed)
            draws = torch.arange(n_draws, device=inputs.device)
            return hashed_uniform(derived_seeds(shared, "coalitions"), draws, size)
        # in float32 whatever the inputs are: half precision has too few distinct values to rank
        like = inputs.new_empty(inputs.shape[0], dtype=torch.float32)
        return random_draws("uniform", n_draws, like, (size,), seed)
