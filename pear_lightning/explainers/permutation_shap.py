"""Shapley values by sampling permutations."""

import torch
from torch import Tensor

from pear_lightning.explainers.perturbation_explainer import PerturbationExplainer, Plan
from pear_lightning.functional.coalitions import present_players
from pear_lightning.functional.validation import check_count
from pear_lightning.masking.fixed_baseline import FixedSpec
from pear_lightning.masking.masker import Masker
from pear_lightning.scoring.game import Game


class PermutationShap(PerturbationExplainer):
    r"""Shapley values, estimated by adding the features in random orders.

    .. math:: φ_i = \frac{1}{|Π|} \sum_{π ∈ Π} v(\{j : π_j \le π_i\}) - v(\{j : π_j < π_i\})

    The estimate is unbiased, and its values sum to ``f(x) - f(b)``.

    Args:
        n_samples: Largest number of evaluations of the model with features removed. The removal of
            all features takes one of them and an order n - 1; at least one order is used. ``None``
            is 32 n.
        baseline: See :class:`~pear_lightning.explainers.KernelShap`.
        masker: Defines the features and their values when removed; ``None`` makes every element a
            feature.
        paired: Whether every order is followed by its reverse, which lowers the variance.
        seed: Seed of orders shared by all samples and calls. ``None`` draws for each sample from
            torch's global generator.

    Raises:
        ValueError: If ``n_samples`` is not positive, or both a baseline and a masker are given;
            when called, if the model returns NaN or Inf.

    Shapes:
        - inputs: ``(B, *S)``; with a masker also integer inputs, such as token ids
        - attributions: ``(B, *S)``, float32 or better

    Example:
        >>> from torch import nn
        >>> from pear_lightning.explainers import explain
        >>> model, inputs = nn.Linear(3, 2), torch.rand(4, 3)
        >>> _, (attributions,) = explain(model, inputs, 1, [PermutationShap(20)])
        >>> bool(torch.allclose(attributions, inputs * model.weight[1], atol=1e-6))
        True

    References:
        Castro, Gómez, Tejada, *Polynomial Calculation of the Shapley Value Based on Sampling*,
        Computers & Operations Research 36, 2009. Pairs: Mitchell, Cooper, Frank, Holmes, *Sampling
        Permutations for Shapley Value Estimation*, JMLR 23, 2022, arXiv 2104.12199.
    """

    differentiable = True

    def __init__(
        self,
        n_samples: int | None = None,
        baseline: FixedSpec | None = None,
        *,
        masker: Masker | None = None,
        paired: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(baseline, masker)
        if n_samples is not None:
            check_count("n_samples", n_samples)
        self.n_samples = n_samples
        self.paired = paired
        self.seed = seed
        self.stochastic = seed is None

    def plan(self, game: Game) -> Plan:
        """Return the coalitions along all orders, and the mean of the differences along them.

        Args:
            game: The model as a cooperative game.
        """
        counts, m = game.counts, game.n_players
        wanted = 32 * counts if self.n_samples is None else torch.full_like(counts, self.n_samples)
        # an order of one feature needs no coalition between the ends
        inner = counts - 1
        n_orders = ((wanted - 1) // inner.clamp(min=1)).clamp(min=1)  # of each sample
        places = self._places(game, int(n_orders.max()))
        # the coalitions of a sample follow one another, so a short text needs no more than it has
        total = int((n_orders * inner).max())
        point = torch.arange(total, device=places.device)[:, None]
        order = (point // inner.clamp(min=1)).clamp(max=len(places) - 1)
        size = 1 + point % inner.clamp(min=1)
        index = order[..., None].expand(-1, places.shape[1], m)
        between = (places.gather(0, index) < size[..., None]) & present_players(counts)
        between &= (point < n_orders * inner)[..., None]
        empty = torch.zeros_like(places[:1], dtype=torch.bool)

        def values(own: Tensor, scores: Tensor) -> Tensor:
            return _mean_gains(torch.cat([scores, own[None]]), places, counts, n_orders)

        return Plan(game.copy_set(torch.cat([empty, between])), values)

    def _places(self, game: Game, n_orders: int) -> Tensor:
        """Return the place of each player in each order, ``(P, B, m)`` or ``(P, 1, m)`` long."""
        present = present_players(game.counts)
        n_draws = (n_orders + 1) // 2 if self.paired else n_orders
        numbers = self.uniform(n_draws, game.n_players, game.bound.inputs, self.seed)
        order = numbers.masked_fill(~present, 2).argsort(dim=-1, stable=True)
        places = order.argsort(dim=-1)
        if self.paired:
            reverse = (game.counts[:, None] - 1 - places).where(present, places)
            places = torch.stack([places, reverse], dim=1).flatten(0, 1)[:n_orders]
        return places

    def extra_repr(self) -> str:
        """Return the settings for ``repr``."""
        return (
            f"n_samples={self.n_samples}, paired={self.paired}, seed={self.seed}, "
            f"masker={self.masker}"
        )


def _mean_gains(scores: Tensor, places: Tensor, counts: Tensor, n_orders: Tensor) -> Tensor:
    """Return the mean gain of each player over the orders of its sample, ``(B, m)``.

    Args:
        scores: Of nothing, of the coalitions of each sample, and of all players, ``(K + 2, B)``.
        places: Place of each player in each order, ``(P, B, m)`` or ``(P, 1, m)``.
        counts: Number of players, ``(B,)`` or ``(1,)``.
        n_orders: Number of orders of each sample, ``(B,)`` or ``(1,)``.
    """
    places, counts, n_orders = (each.to(scores.device) for each in (places, counts, n_orders))
    n_samples, m = scores.shape[1], places.shape[2]
    number = torch.arange(len(places), device=scores.device)[:, None, None]
    step = torch.arange(m + 1, device=scores.device)[:, None]
    last = len(scores) - 1
    index = (number * (counts - 1) + step).clamp(max=last)
    index = index.where(step > 0, 0).where(step < counts, last)
    path = scores.gather(0, index.flatten(0, 1).expand(-1, n_samples))
    gains = path.unflatten(0, index.shape[:2]).diff(dim=1).movedim(1, 2)  # (P, B, m)
    found = gains.gather(2, places.expand(-1, n_samples, -1))
    used = number[:, 0] < n_orders
    mean: Tensor = (found * used[..., None]).sum(dim=0) / n_orders[:, None]
    return mean
