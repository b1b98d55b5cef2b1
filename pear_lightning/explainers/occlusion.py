"""Occlusion of one feature after another."""

from dataclasses import replace

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import checked_scores
from pear_lightning.scoring.scorer import Scorer


class Occlusion(PerturbationExplainer):
    r"""Attribute to each feature what the explained scalar loses when it alone is removed.

    .. math:: a_i = f(x) - \frac{1}{R} \sum_r f(x \setminus i)

    where ``x \ i`` is x with the feature i replaced by the baseline, in R draws where that is
    random. Also known as feature ablation or leave one out. It costs n R + 1 evaluations of the
    model per sample; copies of all samples go through the model together, ``points_per_pass`` of
    each at a time. The attributions carry no gradients.

    Args:
        masker: What the features are (patches, segments, tokens, columns), and what they become
            when removed; None makes every element a feature.
        baseline: What elements become without a masker: ``"zeros"``, ``"mean"`` (of the training
            data), a number, or a tensor ``(*S)``; None is ``"zeros"``, or the masker's.
        n_draws: R, the number of draws of a random baseline, the same ones for every feature.

    Raises:
        ValueError: If ``n_draws`` is not positive, is above 1 with a baseline that is not random,
            or there is a masker beside a baseline; when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``; with a masker also integers, such as token ids
        - attributions: ``(B, *S)``, float32 or better: each feature's value spread over its
          elements so that ``masker.pool`` gives it back

    Example:
        >>> import torch
        >>> from pear_lightning.explainers import explain
        >>> from pear_lightning.masking import ColumnMasker
        >>> model, inputs = torch.nn.Linear(3, 2), torch.rand(4, 3)
        >>> masker = ColumnMasker(3, groups=[[1, 2]])
        >>> _, (attributions,) = explain(model, inputs, 1, [Occlusion(masker)])
        >>> terms = inputs * model.weight[1]
        >>> bool(torch.allclose(masker.pool(attributions), masker.pool(terms), atol=1e-5))
        True

    References:
        Zeiler, Fergus, *Visualizing and Understanding Convolutional Networks*, ECCV 2014, arXiv
        1311.2901, section 4.2.

    Deviations from the paper:
        Features do not overlap, as the paper's sliding square does.
    """

    def __init__(
        self,
        masker: Masker | None = None,
        baseline: FixedSpec | None = None,
        *,
        n_draws: int = 1,
    ) -> None:
        super().__init__(baseline, masker)
        if n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, got {n_draws}")
        if n_draws > 1 and not self.baseline.is_random:
            raise ValueError(
                f"n_draws is {n_draws}, but every draw of baseline={self.baseline!r} is the same: "
                "use n_draws=1, or a random baseline such as 'uniform'"
            )
        self.n_draws = n_draws

    @torch.no_grad()
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return what the scores lose without each feature.

        Args:
            scorer: The explained scalar at any query points.
            inputs: Inputs, ``(B, *S)``.

        Returns:
            Attributions, ``(B, *S)``.
        """
        game = self.game(scorer, inputs)
        whole = checked_scores([scorer(inputs[None])])
        players = torch.arange(game.n_players, device=inputs.device)
        there = (players < game.counts[:, None])[None]
        without = torch.zeros_like(whole)
        for draw in range(self.n_draws):
            game = replace(game, bound=replace(game.bound, draw=draw))
            # few at a time: the coalitions of all features are n x n
            scores = [
                game.play((players != removed[:, None])[:, None] & there, fresh_draws=False)
                for removed in players.split(scorer.points_per_pass or len(players))
            ]
            without = without + torch.cat(scores) / self.n_draws
        values = (whole - without).T
        return game.attributions(values.where(there[0].to(values.device), 0))

    def extra_repr(self) -> str:
        """Name the settings."""
        return f"n_draws={self.n_draws}, masker={self.masker}"
