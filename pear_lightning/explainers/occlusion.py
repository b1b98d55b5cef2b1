"""Occlusion of one feature at a time."""

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer, Plan
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game
from pear_lightning.scoring.perturbed_copies import CopySet


class Occlusion(PerturbationExplainer):
    r"""Decrease of the explained scalar when a single feature is removed.

    .. math:: a_i = f(x) - \frac{1}{R} \sum_r f(x \setminus i)

    where ``x \ i`` is x with feature i replaced by the baseline, in R draws if the baseline is
    random. Also known as feature ablation or leave one out. It costs n R + 1 evaluations of the
    model per sample; the copies of all samples go through the model together, at most
    ``points_per_pass`` of each sample at a time. A loss of the attributions trains the model by
    first derivatives alone.

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

    differentiable = True

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

    def plan(self, game: Game) -> Plan:
        """Return the copies without each feature, and the differences to the sample itself.

        Args:
            game: The model as a cooperative game.
        """
        n, counts = game.n_players, game.counts
        players = torch.arange(n, device=counts.device)
        present = (players < counts[:, None])[None]

        def keep(points: Tensor) -> Tensor:  # in chunks: the coalitions of all features are n x n
            removed = points % n
            return game.features((players != removed[:, None])[:, None] & present)

        def draws(points: Tensor) -> Tensor:
            return points // n

        def values(own: Tensor, scores: Tensor) -> Tensor:
            without = scores.unflatten(0, (self.n_draws, n)).mean(dim=0)
            decrease: Tensor = (own - without).T
            return decrease.where(present[0].to(decrease.device), 0)

        return Plan(CopySet(game.bound, self.n_draws * n, keep, draws), values)

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return f"n_draws={self.n_draws}, masker={self.masker}"
