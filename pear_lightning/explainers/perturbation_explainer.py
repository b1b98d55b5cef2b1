"""Base class of explainers that remove features."""

from abc import abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.functional.hashed_random import derived_seeds, hashed_uniform, sample_seeds
from pear_lightning.functional.random_draws import random_draws
from pear_lightning.masking.baseline import Baseline
from pear_lightning.masking.bound_masker import BoundMasker
from pear_lightning.masking.fixed_baseline import FixedBaseline, FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game, checked_scores
from pear_lightning.scoring.perturbed_copies import CopySet, evaluate_with_samples
from pear_lightning.scoring.scorer import Scorer


class Plan(NamedTuple):
    """What a perturbation explainer asks of the model, and what it makes of the answers.

    Attributes:
        copies: The K perturbed copies of every sample.
        values: Maps the scores of the samples themselves, ``(B,)``, and those of the copies,
            ``(K, B)``, both float64, to the values of the players, ``(B, m)``.
    """

    copies: CopySet
    values: Callable[[Tensor, Tensor], Tensor]


class PerturbationExplainer(Explainer):
    """Base class of explainers that evaluate the model with features removed, without gradients.

    Features are those of a masker or, without a masker, the elements of an input, which take the
    value of a baseline when removed. The masker's baseline is part of the explainer's state.

    A subclass says which copies of the samples it wants scores of, and how it turns the scores into
    values of the features (:meth:`plan`); :func:`~pear_lightning.explainers.explain` evaluates the
    copies of several explainers together, and the samples themselves once for all explainers. If
    the values are differentiable with respect to the scores, the attributions train the model by
    first derivatives alone: with gradients enabled they carry the graph to the weights, and
    coalitions that are drawn without a seed are shared by the samples of the batch, so that one
    small system is solved for all of them.

    Args:
        baseline: Values of removed elements without a masker; ``None`` means ``"zeros"``.
        masker: Defines the features and their values when removed.

    Raises:
        TypeError: If ``masker`` is not a masker.
        ValueError: If both a baseline and a masker are given.
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
                f"baseline must be None if a masker is given, got baseline={baseline!r} with "
                f"masker={masker!r}; set the baseline of the masker"
            )
        self.masker = masker
        if masker is None:
            self.baseline = FixedBaseline("zeros" if baseline is None else baseline)
        else:
            self.baseline = masker.baseline  # a module: moves with this one, saved in checkpoints

    @abstractmethod
    def plan(self, game: Game) -> Plan:
        """Return the copies that are evaluated, and what becomes of their scores.

        Args:
            game: The model as a cooperative game whose players are the inputs' features.
        """

    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return attributions of checked inputs, by passes of this explainer alone.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """
        game = self.game(scorer, inputs)
        plan = self.plan(game)
        own, _, (scores,) = evaluate_with_samples(scorer, [plan.copies])
        return game.attributions(plan.values(checked_scores(own), checked_scores(scores)))

    @property
    def takes_gradients(self) -> bool:
        """Whether the explainer takes gradients of the model: no."""
        return False

    @property
    def needs_floating_inputs(self) -> bool:
        """Whether inputs must be floating point; with a masker they may be token ids."""
        return self.masker is None

    def game(self, scorer: Scorer, inputs: Tensor) -> Game:
        """Return the model as a cooperative game whose players are the inputs' features.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.
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
            size: Number of values per coalition. With a masker and a seed, the first values do not
                depend on it, so a sample's values do not depend on the number of features of
                another sample.
            inputs: Inputs, ``(B, *S)``.
            seed: Seed of numbers shared by all samples. ``None`` draws from torch's global
                generator, for each sample, or once for all where gradients are enabled.

        Returns:
            ``(K, B, size)``, or ``(K, 1, size)`` if shared.
        """
        if self.masker is not None and seed is not None:
            shared = sample_seeds(torch.zeros(1, 1, device=inputs.device), seed)
            draws = torch.arange(n_draws, device=inputs.device)
            return hashed_uniform(derived_seeds(shared, "coalitions"), draws, size)
        # float32 for any dtype of the inputs: half precision has too few distinct values to rank
        n_rows = 1 if torch.is_grad_enabled() else inputs.shape[0]
        like = inputs.new_empty(n_rows, dtype=torch.float32)
        return random_draws("uniform", n_draws, like, (size,), seed)
