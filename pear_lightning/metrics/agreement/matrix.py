"""All six agreement metrics for all pairs of explainers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pear_lightning.figures import draw_agreement
from pear_lightning.functional.agreement import (
    AGREEMENT_NAMES,
    TOP_K_NAMES,
    AgreementName,
    RankedSaliency,
    agreement_of_ranked,
    chance_level,
    check_k,
    rank_saliency,
)
from pear_lightning.functional.aligned_text import aligned_text
from pear_lightning.functional.ranks import TIES, Ties
from pear_lightning.functional.validation import (
    check_attributions,
    check_by_name,
    check_choice,
    check_count,
    check_same_shape,
)
from pear_lightning.metrics.agreement.common_share import share_of_sums, sums_of_logits
from pear_lightning.metrics.agreement.comparable import comparable
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.exact_sum import N_LIMBS
from pear_lightning.metrics.fixed_point import from_fixed_point, to_fixed_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pair = tuple[str, str]


class AgreementMatrix(ExactStates):
    """Agreement of every pair of explainers in the six agreement metrics, mean over samples.

    Each explanation is ranked once for all pairs. The diagonal is the agreement of an explainer
    with itself: it is measured from ``repeats``, second draws of stochastic explainers, and 1 for
    the others. Two stochastic explainers rarely agree better with each other than each agrees with
    itself, so read the other entries relative to the diagonal.

    An explanation whose absolute values are all equal, such as zeros, ranks nothing. Such samples
    count and have finite values, because a NaN would hide all other samples in the mean, and
    leaving them out would favour explainers that return nothing. Two explanations of zeros make the
    same statement: they agree fully by the five metrics that compare statements, and have rank
    correlation 0, because nothing varies. With an explanation that ranks its features, zeros have
    rank correlation, sign, signed rank and pairwise rank agreement 0, while feature agreement
    compares its top k with the first k features. With ``strict=True``, pairwise rank agreement is
    the share of the pairs that the other explanation orders like ties, the later feature first.
    :attr:`~pear_lightning.metrics.RankCorrelation.constant_rows` counts these samples.

    Samples may have different numbers of features (``present`` in :meth:`update`), as texts have.
    A sample is then compared by its own features only, with all of them in its top k if there are
    fewer than k, and a sample with a single feature is left out, because all explanations agree on
    it.

    Shapes:
        - update: ``attributions``, one tensor ``(B, *S)`` for each name, flattened to ``(B, n)``;
          ``repeats``, such tensors for some of the names
        - compute: one ``(E, E)`` float32 tensor for each metric, rows and columns in the order of
          ``names``

    Args:
        names: the explainers, two or more.
        k: size of the top k, for the four metrics that have one: a number of features (int), or a
            fraction of them, rounded up (float).
        ties: see :func:`~pear_lightning.functional.agreement.rank_agreement`.
        strict: see :func:`~pear_lightning.functional.agreement.pairwise_rank_agreement`.
        num_classes: number of classes C, 2 or more, to measure the
            :class:`~pear_lightning.metrics.CommonShare` of the logits as well; None for no logits.
        **kwargs: options of :class:`torchmetrics.Metric`.

    Raises:
        ValueError: if there are fewer than two names, or one occurs twice.

    Example:
        >>> import torch
        >>> matrix = AgreementMatrix(["gradient", "lime"], k=3)
        >>> a = torch.tensor([[0.5, -0.4, 0.3, 0.2, -0.1]])
        >>> b = torch.tensor([[0.4, 0.5, 0.3, -0.1, -0.2]])
        >>> matrix.update({"gradient": a, "lime": b}, repeats={"lime": a})
        >>> matrix.compute()["pairwise_rank_agreement"]
        tensor([[1.0000, 0.8000],
                [0.8000, 0.8000]])
        >>> print(matrix.to_table("rank_correlation"))
        rank_correlation  gradient   lime
        gradient             1.000  0.800
        lime                 0.800  0.800

    References:
        Krishna et al., *The Disagreement Problem in Explainable Machine Learning*,
        arXiv 2202.01602.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    metric_names: tuple[AgreementName, ...] = AGREEMENT_NAMES

    def __init__(
        self,
        names: Sequence[str],
        k: int | float,
        *,
        ties: Ties = "average",
        strict: bool = False,
        num_classes: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("ties", ties, TIES)
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"names must be two or more different names, got {list(names)}")
        self.names = tuple(names)
        check_k("k", k)
        self.k = k
        self.ties: Ties = ties
        self.strict = strict
        if num_classes is not None:
            check_count("num_classes", num_classes, least=2)
        self.num_classes = num_classes
        self._pairs = torch.combinations(torch.arange(len(names)), 2).t().tolist()
        of_metrics, of_logits = len(self.metric_names), (num_classes or 0) + 3
        sums = {
            "sum": (of_metrics, len(self._pairs[0])),
            "count": (),
            "repeat_sum": (of_metrics, len(names)),
            "repeat_count": (len(names),),
            "logit_sums": (of_logits, N_LIMBS),
            "logit_count": (),
        }
        self._add_states("agreement_matrix", sums)
        many = torch.iinfo(torch.long).max
        self._add_states("agreement_matrix", {"fewest": ()}, reduction="min", start=many)
        self._add_states("agreement_matrix", {"most": ()}, reduction="max")
        self._feature_range = (many, 0)  # with the share, of the states that were computed last
        self._share: Tensor | None = None

    def update(
        self,
        attributions: Mapping[str, Tensor],
        repeats: Mapping[str, Tensor] | None = None,
        logits: Tensor | None = None,
        present: Tensor | None = None,
    ) -> None:
        """Add a batch with the attributions of every explainer.

        Args:
            attributions: ``(B, *S)`` floating, signed, for each name.
            repeats: independent second draws of stochastic explainers on the same samples.
            logits: the model's logits of these samples, ``(B, C)``; used with ``num_classes``.
            present: ``(B, n)`` bool, the features that a sample has, such as
                :attr:`BoundMasker.present <pear_lightning.masking.BoundMasker.present>`; None for
                all.

        Raises:
            TypeError: if a tensor is not floating, or ``present`` not bool.
            ValueError: for missing or unknown names, different shapes, NaN or infinite values, a
                sample without features, or, without ``present``, ``k`` above n or a single feature.
        """
        check_by_name("attributions", attributions, self.names)
        if set(attributions) != set(self.names):
            raise ValueError(
                f"attributions must have the names {sorted(self.names)}, got {sorted(attributions)}"
            )
        repeats = repeats or {}
        if unknown := set(repeats) - set(self.names):
            raise ValueError(f"repeats must have names of {self.names}, got {sorted(unknown)}")
        repeated = [index for index, name in enumerate(self.names) if name in repeats]
        first = self._rank("attributions", attributions, self.names, present)
        samples, n = first.ranks.shape[1:]
        left, right = (first.select(side) for side in self._pairs)
        sums = self._sums(left, right)
        # all checks come first, so that a batch that raises changes no state
        repeat_sums = position = logit_sums = None
        if repeated:
            reference = attributions[self.names[0]]
            check_same_shape("attributions", reference, "repeats", next(iter(repeats.values())))
            names = [self.names[index] for index in repeated]
            second = self._rank("repeats", repeats, names, present)
            repeat_sums = self._sums(first.select(repeated), second)
            position = torch.tensor(repeated, device=repeat_sums.device)
        if self.num_classes is not None and logits is not None:
            logit_sums = sums_of_logits(logits, self.num_classes)
            given = len(attributions[self.names[0]])
            if len(logits) != given:
                raise ValueError(
                    f"logits must have one row for each of the {given} samples, got {len(logits)}"
                )
        if repeat_sums is not None and position is not None:
            counts = torch.full_like(position, samples)
            sum_, count = self._state("repeat_sum"), self._state("repeat_count")
            self._set("repeat_sum", sum_.index_add(1, position, repeat_sums))
            self._set("repeat_count", count.index_add(0, position, counts))
        if logit_sums is not None and logits is not None:
            self._add("logit_sums", logit_sums)
            self._add("logit_count", torch.tensor(len(logits)))
        self._add("sum", sums)
        self._add("count", torch.tensor(samples))
        if samples:
            n_each = (
                first.present[0].sum(dim=-1) if first.present is not None else sums.new_tensor(n)
            )
            n_each = n_each.to(self._state("most").device)
            self._set("fewest", self._state("fewest").minimum(n_each.min()))
            self._set("most", self._state("most").maximum(n_each.max()))

    def compute(self) -> dict[str, Tensor]:
        """Return a symmetric ``(E, E)`` float32 matrix for each metric.

        Without samples, pairs are NaN; without repeats, the diagonal is 1.
        """
        self._read()
        means = from_fixed_point(self._state("sum")) / self._state("count")
        repeated = self._state("repeat_count") > 0
        diagonal = from_fixed_point(self._state("repeat_sum"))
        diagonal = diagonal / self._state("repeat_count").clamp(min=1)
        diagonal = diagonal.masked_fill(~repeated, 1)
        matrices = torch.diag_embed(diagonal)
        left, right = self._pairs
        matrices[:, left, right] = means
        matrices[:, right, left] = means
        return dict(zip(self.metric_names, matrices.float(), strict=True))

    def mean_over_pairs(
        self,
        metric: AgreementName,
        include: Iterable[Pair] | None = None,
        exclude: Iterable[Pair] = (),
    ) -> Tensor:
        """Return the mean of one metric over pairs of different explainers, a float32 scalar.

        Args:
            metric: name of the metric.
            include: pairs of names, in either order; None for all.
            exclude: pairs to leave out.

        Raises:
            ValueError: for an unknown metric or name, or if no pair is left.

        Example:
            >>> import torch
            >>> matrix = AgreementMatrix(["gradient", "lime", "random"], k=1)
            >>> matrix.update({name: torch.eye(3) for name in matrix.names})
            >>> matrix.mean_over_pairs("feature_agreement", exclude=[("lime", "random")])
            tensor(1.)
        """
        check_choice("metric", metric, self.metric_names)
        pairs = combinations(self.names, 2) if include is None else include
        left_out = {frozenset(pair) for pair in exclude}
        chosen = [pair for pair in pairs if frozenset(pair) not in left_out]
        for name in {name for pair in [*chosen, *left_out] for name in pair}:
            check_choice("name", name, self.names)
        if not chosen:
            raise ValueError("include must have a pair that is not in exclude, got none")
        sides = zip(*chosen, strict=True)
        rows, columns = ([self.names.index(name) for name in side] for side in sides)
        return self.compute()[metric][rows, columns].mean()

    def chance(self) -> dict[str, float]:
        """Return the agreement of unrelated explanations, for each metric.

        It depends on the number of features. In a distributed run all processes must call it,
        :attr:`feature_counts` and :meth:`common_share`, unless all have called :meth:`compute`
        since the last ``update``.

        Raises:
            ValueError: without samples, or if samples have different numbers of features.

        Example:
            >>> import torch
            >>> matrix = AgreementMatrix(["gradient", "lime"], k=5)
            >>> matrix.update({name: torch.randn(2, 8) for name in matrix.names})
            >>> matrix.chance()["feature_agreement"]
            0.625
        """
        counts = self.feature_counts
        if not counts:
            raise ValueError("a chance level needs samples, got none; call update() first")
        if len(counts) > 1:
            raise ValueError(
                f"samples must have one number of features for a chance level, got {counts[0]} to "
                f"{counts[1]}"
            )
        (n,) = counts
        k = min(self.k, n) if isinstance(self.k, int) else self.k
        return {name: chance_level(name, n, k) for name in self.metric_names}

    @property
    def feature_counts(self) -> list[int]:
        """Smallest and largest number of features of a sample; one number if all have the same."""
        self._read_all()
        fewest, most = self._feature_range
        return sorted({fewest, most}) if most else []

    def common_share(self) -> Tensor | None:
        """Return the share that all logits have in common; None if no logits were given.

        See :class:`~pear_lightning.metrics.CommonShare`.
        """
        self._read_all()
        return self._share

    def _read_all(self) -> None:
        """Read the states of all processes, unless they are those that were computed last."""
        if self._computed is None:
            with self._synced():
                self._read()

    def _read(self) -> None:
        self._feature_range = int(self._state("fewest")), int(self._state("most"))
        with_logits = self._state("logit_count")
        self._share = share_of_sums(self._state("logit_sums"), with_logits) if with_logits else None

    def to_table(self, metric: AgreementName = "pairwise_rank_agreement") -> str:
        """Return the matrix of one metric as aligned text; the class has an example.

        The last line is the :meth:`common_share` of the logits, where they were given.

        Args:
            metric: name of the metric.

        Raises:
            ValueError: for an unknown metric.
        """
        check_choice("metric", metric, self.metric_names)
        rows = [[metric, *self.names]]
        for name, values in zip(self.names, self.compute()[metric].tolist(), strict=True):
            rows.append([name, *(f"{value:.3f}" for value in values)])
        share = self.common_share()
        if share is None:
            return aligned_text(rows)
        return f"{aligned_text(rows)}\ncommon share of the logits: {share:.3f}"

    def plot(
        self, metric: AgreementName = "pairwise_rank_agreement", ax: "Axes | None" = None
    ) -> tuple["Figure", "Axes"]:
        """Draw the matrix of one metric as a heat map with its values and chance level.

        There is no chance level if samples have different numbers of features.

        Args:
            metric: name of the metric.
            ax: axes to draw on; None for a new figure.

        Returns:
            Figure and axes, as the ``plot`` methods of torchmetrics do.

        Raises:
            ImportError: if matplotlib is missing.
            ValueError: for an unknown metric, or before the first ``update``.
        """
        check_choice("metric", metric, self.metric_names)
        of_top = f", k = {self.k}" if metric in TOP_K_NAMES else ""
        title = f"{metric.replace('_', ' ')}{of_top}"
        if len(self.feature_counts) < 2:
            title += f" (chance {self.chance()[metric]:.2f})"
        return draw_agreement(
            self.names,
            self.compute()[metric],
            f"{title}\ndiagonal: agreement with itself",
            lowest=-1.0 if metric == "rank_correlation" else 0.0,
            ax=ax,
        )

    def _rank(
        self,
        argument: str,
        attributions: Mapping[str, Tensor],
        names: Sequence[str],
        present: Tensor | None,
    ) -> RankedSaliency:
        """Rank the named explanations together, ``(E, B, n)``."""
        for name in names:
            check_attributions(f"{argument}[{name!r}]", attributions[name])
            check_same_shape(
                f"{argument}[{names[0]!r}]",
                attributions[names[0]],
                f"{argument}[{name!r}]",
                attributions[name],
            )
        stacked = torch.stack([attributions[name].detach().flatten(1) for name in names])
        stacked, present = comparable(stacked, present, self.k)
        if present is not None:
            present = present.expand_as(stacked)
        return rank_saliency(stacked, self.k, ties=self.ties, name=argument, present=present)

    def _sums(self, left: RankedSaliency, right: RankedSaliency) -> Tensor:
        """Sum each metric over the samples: ``(6, pairs)`` from explanations ``(pairs, B, n)``."""
        values = [
            agreement_of_ranked(metric, left, right, strict=self.strict)
            for metric in self.metric_names
        ]
        return to_fixed_point(torch.stack(values)).sum(dim=-1).to(self._state("sum").device)
