"""The mean-rank table of several explainers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pear_lightning.figures import draw_ranking
from pear_lightning.functional.aligned_text import aligned_text
from pear_lightning.functional.mean_ranks import bootstrap_means, ranks_of_means
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.functional.validation import check_finite, check_floating
from pear_lightning.metrics.faithfulness.short_names import legend, metric_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class ExplainerRanking:
    r"""Explainers ranked by the mean of their ranks in several metrics, with bootstrap intervals.

    .. math:: R_e = \frac{1}{M} \sum_m \operatorname{rank}_e
              \left( \pm_m \frac{1}{N} \sum_i s_{m e i} \right)

    where ``s`` is the score of explainer e by metric m on sample i, ``±`` the metric's direction
    and rank 1 the best; equal means share the mean of their ranks. The intervals are percentiles of
    R over draws of the N samples with replacement; all explainers and metrics share the draws. They
    measure the uncertainty from the choice of samples alone, for these explainers, metrics and
    settings; R also depends on which explainers are compared. Resampling adds noise, which moves
    the ranks of similar explainers towards each other, so R may lie at the edge of its interval.
    Two explainers are tied if the interval of the difference of their R contains 0 (without a
    correction for the number of pairs).

    Create one by :func:`~pear_lightning.metrics.rank_explainers`, or from scores by
    :meth:`from_scores`.

    Attributes:
        explainers: Names of the E explainers, in the order given.
        metrics: Names of the M metrics.
        higher_is_better: ``(M,)`` bool.
        means: ``(M, E)`` float64, mean score.
        ranks: ``(M, E)`` float64, rank by the mean score.
        mean_rank: ``(E,)`` float64, R.
        interval: ``(E, 2)`` float64, lower and upper end of the interval of R.
        tied: ``(E, E)`` bool, symmetric, true on the diagonal.
        confidence_level: Confidence level of the intervals.
        n_resamples: Number of draws.
        n_samples: Number of samples N.

    Example:
        >>> import torch
        >>> scores = {"deletion": torch.tensor([[0.1, 0.2, 0.1], [0.3, 0.4, 0.5]]),
        ...           "insertion": torch.tensor([[0.9, 0.8, 0.7], [0.4, 0.6, 0.6]])}
        >>> directions = {"deletion": False, "insertion": True}
        >>> ranking = ExplainerRanking.from_scores(scores, ["gradient", "random"], directions)
        >>> print(ranking.to_table())
        explainer  mean rank  95 % interval  tied with  DEL↓  INS↑
        gradient        1.00   1.00 to 1.00                1     1
        random          2.00   2.00 to 2.00                2     2
        <BLANKLINE>
        DEL deletion, INS insertion; ↑ higher is better, ↓ lower is better

    References:
        Guo et al., *Learning for Highly Faithful Explainability*, ICLR 2026 (the mean rank over ten
        metrics). Efron, Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13 (the
        percentile interval).
    """

    explainers: tuple[str, ...]
    metrics: tuple[str, ...]
    higher_is_better: Tensor
    means: Tensor
    ranks: Tensor
    mean_rank: Tensor
    interval: Tensor
    tied: Tensor
    confidence_level: float
    n_resamples: int
    n_samples: int

    @classmethod
    def from_scores(
        cls,
        scores: Mapping[str, Tensor],
        explainers: Sequence[str],
        higher_is_better: Mapping[str, bool],
        *,
        n_resamples: int = 2000,
        confidence_level: float = 0.95,
        seed: int = 0,
    ) -> "ExplainerRanking":
        """Rank explainers by their scores.

        Args:
            scores: For each metric ``(E, N)``: the score of every explainer on every sample.
            explainers: Names of the explainers, E of them.
            higher_is_better: Direction of each metric.
            n_resamples: Number of draws of the bootstrap.
            confidence_level: Confidence level of the intervals, between 0 and 1.
            seed: Seed of the draws.

        Raises:
            TypeError: If scores are not floating.
            ValueError: If there are no scores, their shapes differ, a name is missing or occurs
                twice, scores are NaN or infinite, or a number is out of range.
        """
        stacked = _stacked(scores, explainers)
        if missing := [name for name in scores if higher_is_better.get(name) is None]:
            raise ValueError(
                f"higher_is_better must hold the direction of each metric, got none of {missing}"
            )
        if n_resamples < 1:
            raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
        if not 0 < confidence_level < 1:
            raise ValueError(f"confidence_level must be between 0 and 1, got {confidence_level}")
        directions = torch.tensor([bool(higher_is_better[name]) for name in scores])
        means = stacked.mean(dim=2)
        ranks = ranks_of_means(means, directions)
        drawn = torch.cat(
            [
                ranks_of_means(each, directions).mean(dim=1)
                for each in bootstrap_means(stacked, n_resamples, seed)
            ]
        )
        lowest, highest = _percentiles(drawn[:, :, None] - drawn[:, None], confidence_level)
        return cls(
            explainers=tuple(explainers),
            metrics=tuple(scores),
            higher_is_better=directions,
            means=means,
            ranks=ranks,
            mean_rank=ranks.mean(dim=0),
            interval=torch.stack(_percentiles(drawn, confidence_level), dim=1),
            tied=(lowest <= 0) & (highest >= 0),
            confidence_level=confidence_level,
            n_resamples=n_resamples,
            n_samples=stacked.shape[2],
        )

    @property
    def order(self) -> list[int]:
        """Positions of the explainers, the best first."""
        return self.mean_rank.argsort(stable=True).tolist()

    def metric_correlation(self) -> Tensor:
        """Return the Spearman correlation of the ranks of each pair of metrics, ``(M, M)`` float64.

        It is 1 for two metrics that rank the explainers equally, each in its own direction, and 0
        for a metric that gives all explainers the same rank.
        """
        centred = average_ranks(self.ranks) - (len(self.explainers) + 1) / 2
        norm = centred.norm(dim=1)
        product = norm[:, None] * norm
        correlation: Tensor = (centred @ centred.T) / product.where(product > 0, 1)
        return correlation

    def tied_with(self, explainer: str) -> list[str]:
        """Return the other explainers that are tied with one, the best first.

        Args:
            explainer: Its name.

        Raises:
            ValueError: If there is no explainer of that name.
        """
        if explainer not in self.explainers:
            raise ValueError(f"explainer must be one of {self.explainers}, got {explainer!r}")
        row = self.explainers.index(explainer)
        return [self.explainers[e] for e in self.order if self.tied[row, e] and e != row]

    def to_table(self, values: str = "ranks") -> str:
        """Return the table as aligned text, the best explainer first.

        The column ``tied with`` holds the places, in this table, of the explainers that are tied
        with the one in the row. A legend of the metrics follows the table.

        Args:
            values: What the columns of the metrics hold: ``"ranks"`` or ``"means"``.

        Raises:
            ValueError: If it is neither.
        """
        if values not in ("ranks", "means"):
            raise ValueError(f"values must be 'ranks' or 'means', got {values!r}")
        cells = self.ranks if values == "ranks" else self.means
        form = "{:g}" if values == "ranks" else "{:.4f}"
        percent = f"{100 * self.confidence_level:g} % interval"
        rows = [["explainer", "mean rank", percent, "tied with", *self.metric_labels()]]
        for place in self.order:
            low, high = self.interval[place].tolist()
            tied = [k + 1 for k, e in enumerate(self.order) if self.tied[place, e] and e != place]
            rows.append(
                [
                    self.explainers[place],
                    f"{self.mean_rank[place]:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    _as_ranges(tied),
                    *(form.format(value) for value in cells[:, place].tolist()),
                ]
            )
        return f"{aligned_text(rows)}\n\n{legend(self._directions)}"

    def plot(
        self, axes: "Sequence[Axes] | None" = None, *, controls: Collection[str] = ()
    ) -> tuple["Figure", list["Axes"]]:
        """Draw mean ranks with their intervals, next to the rank by each metric.

        Args:
            axes: Two axes to draw on; None for a new figure.
            controls: Names of explainers that are controls (random, inverted), shown in grey.

        Returns:
            Figure and both axes.

        Raises:
            ImportError: If matplotlib is missing.
        """
        return draw_ranking(
            [self.explainers[e] for e in self.order],
            self.mean_rank[self.order],
            self.interval[self.order],
            self.ranks[:, self.order],
            self.metric_labels(),
            f"{100 * self.confidence_level:g} % interval over {self.n_samples} samples",
            axes,
            controls,
        )

    def metric_labels(self) -> list[str]:
        """Return short names of the metrics, with an arrow for the direction that is better."""
        return metric_labels(self._directions)

    @property
    def _directions(self) -> dict[str, bool]:
        return dict(zip(self.metrics, self.higher_is_better.tolist(), strict=True))


def _stacked(scores: Mapping[str, Tensor], explainers: Sequence[str]) -> Tensor:
    """Return checked scores as ``(M, E, N)`` float64."""
    if len(set(explainers)) < len(explainers):
        raise ValueError(f"explainers must have different names, got {list(explainers)}")
    if not scores:
        raise ValueError("scores must hold at least one metric, got none")
    shapes = {name: tuple(each.shape) for name, each in scores.items()}
    shape = next(iter(shapes.values()))
    fits = len(shape) == 2 and shape[0] == len(explainers) > 0 and shape[1] > 0
    if not fits or len(set(shapes.values())) > 1:
        raise ValueError(
            "scores must have a row for each explainer and a column for each sample, "
            f"({len(explainers)}, N) with N >= 1, the same for every metric, got {shapes}"
        )
    for name, each in scores.items():
        check_floating(f"scores[{name!r}]", each)
        check_finite(f"scores[{name!r}]", each)
    return torch.stack([each.detach().to("cpu", torch.float64) for each in scores.values()])


def _percentiles(drawn: Tensor, confidence_level: float) -> tuple[Tensor, Tensor]:
    """Return both ends of the interval of each column, from draws in the first dimension."""
    ordered = drawn.sort(dim=0).values
    last = len(drawn) - 1
    cut = int((1 - confidence_level) / 2 * len(drawn) + 1e-9)  # (1 - 0.9) / 2 * 100 is below 5
    return ordered[min(cut, last)], ordered[max(last - cut, 0)]


def _as_ranges(places: Sequence[int]) -> str:
    """Abbreviate increasing numbers: 1, 2, 3, 7 becomes "1-3, 7"."""
    parts: list[list[int]] = []
    for place in places:
        if parts and place == parts[-1][-1] + 1:
            parts[-1].append(place)
        else:
            parts.append([place])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
