"""Occlusion of one feature at a time."""

from dataclasses import replace

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import checked_scores
from pear_lightning.scoring.scorer import Scorer


class Occlusion(PerturbationExplainer):
    r"""Decrease of the explained scalar when a single feature is removed.

    .. math:: a_i = f(x) - \frac{1}{R} \sum_r f(x \setminus i)

    where ``x \ i`` is x with feature i replaced by the baseline, in R draws if the baseline is
    random. Also known as feature ablation or leave one out. It costs n R + 1 evaluations of the
    model per sample; the copies of all samples go through the model together, at most
    ``points_per_pass`` of each sample at a time. The attributions carry no gradients.

    Args:
        masker: Defines the features (patches, segments, tokens, columns) and their values when
            removed. ``None`` makes every element a feature.
        baseline: Values of removed elements without a masker: ``"zeros"``, ``"mean"`` (of the
            training data), a number, or a tensor ``(*S)``. ``None`` means the masker's baseline, or
            ``"zeros"`` without a masker.
        n_draws: R, the number of draws of a random baseline; every feature uses the same draws.

    Raises:
        ValueError: If ``n_draws`` is below 1, or above 1 with a baseline that is not random, or
            both a baseline and a masker are given; when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``; with a masker also integer inputs, such as token ids
        - attributions: ``(B, *S)``, float32 or better; each feature's value is spread over its
          elements so that ``masker.pool`` returns it

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
        Features do not overlap; the positions of the paper's sliding square do.
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
                f"n_draws must be 1 for baseline={self.baseline!r}, whose draws are all the same, "
                f"got {n_draws}; use a random baseline such as 'uniform' for more"
            )
        self.n_draws = n_draws

    @torch.no_grad()
    def forward(self, scorer: Scorer, inputs: Tensor) -> Tensor:
        """Return the decrease of the score without each feature, ``(B, *S)``.

        Args:
            scorer: Evaluates the explained scalar at query points.
            inputs: Inputs, ``(B, *S)``.
        """
        game = self.game(scorer, inputs)
        full = checked_scores([scorer(inputs[None])])
        players = torch.arange(game.n_players, device=inputs.device)
        present = (players < game.counts[:, None])[None]
        without = torch.zeros_like(full)
        for draw in range(self.n_draws):
            game = replace(game, bound=replace(game.bound, draw=draw))
            # in chunks, because the coalitions of all features take n x n elements
            scores = [
                game.play((players != removed[:, None])[:, None] & present, fresh_draws=False)
                for removed in players.split(scorer.points_per_pass or len(players))
            ]
            without = without + torch.cat(scores) / self.n_draws
        values = (full - without).T
        return game.attributions(values.where(present[0].to(values.device), 0))

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"n_draws={self.n_draws}, masker={self.masker}"
