"""One explainer among the priors and the controls."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.deepfaith.explaining import Explained, explained_by_priors
from benchmarks.deepfaith.metrics import Scores, scored
from benchmarks.deepfaith.priors import controls_of
from benchmarks.deepfaith.problem import Part, Problem
from benchmarks.deepfaith.settings import DEFINITIONS
from pear_lightning.metrics import ExplainerRanking


class Contest:
    """The priors and controls on a part of the samples of a task, which others join.

    Args:
        problem: What is explained.
        part: Which samples.
        cache: Folder of explanations and scores.
    """

    def __init__(self, problem: Problem, part: Part, cache: Path) -> None:
        self.problem = problem
        self.part: Part = part
        self.cache = cache

    @cached_property
    def explained(self) -> dict[str, Explained]:
        """What the priors say, and what it took them."""
        return explained_by_priors(self.problem, self.part, self.cache)

    @cached_property
    def field(self) -> dict[str, Tensor]:
        """Explanations of the priors and of the controls, ``(N, n)`` by name."""
        priors = {name: each["saliency"] for name, each in self.explained.items()}
        return priors | controls_of(self.problem, self.part, priors)

    def scores(
        self, joining: dict[str, Tensor], definition: str
    ) -> tuple[Scores, dict[str, bool], list[str]]:
        """Return scores of the field and of explainers that join it.

        Args:
            joining: Explanations by name.
            definition: Definition of the metrics.

        Returns:
            Scores by metric, the metrics' directions, and the names of the explainers.
        """
        # explanations of the same name may differ, so that of the cache is found by their values
        names = {name: name for name in self.field}
        names |= {name: f"{name}-{_digest(each)}" for name, each in joining.items()}
        given = {names[name]: each for name, each in (self.field | joining).items()}
        found, directions = scored(self.problem, self.part, given, definition, self.cache)
        return found, directions, list(names)

    def ranking(self, joining: dict[str, Tensor], definition: str) -> ExplainerRanking:
        """Rank the field and explainers that join it; arguments as in :meth:`scores`."""
        found, directions, names = self.scores(joining, definition)
        return ExplainerRanking.from_scores(found, names, directions)

    def standing(self, saliency: Tensor) -> dict[str, Any]:
        """Return how one explainer stands in the field, by each definition of the metrics.

        Args:
            saliency: Its explanations, ``(N, n)``.

        Returns:
            For each definition: ``mean_rank``, ``interval``, ``place``, ``tied_first``, ``best``
            and ``best_rank`` (the best other explainer), ``ranks`` and ``means`` by metric.
        """
        found = {}
        for definition in DEFINITIONS:
            ranking = self.ranking({"it": saliency}, definition)
            found[definition] = standing_of(ranking, "it")
        return found


def standing_of(ranking: ExplainerRanking, name: str) -> dict[str, Any]:
    """Return how one explainer stands in a ranking; see :meth:`Contest.standing`."""
    row = ranking.explainers.index(name)
    other = next(each for each in ranking.order if each != row)
    first = ranking.explainers[ranking.order[0]]
    return {
        "mean_rank": round(float(ranking.mean_rank[row]), 3),
        "interval": [round(each, 3) for each in ranking.interval[row].tolist()],
        "place": ranking.order.index(row) + 1,
        "tied_first": bool(ranking.tied[row, ranking.order[0]]),
        "first": first,
        "best": ranking.explainers[other],
        "best_rank": round(float(ranking.mean_rank[other]), 3),
        "ranks": dict(zip(ranking.metrics, ranking.ranks[:, row].tolist(), strict=True)),
        "means": {
            metric: float(f"{value:.5g}")
            for metric, value in zip(ranking.metrics, ranking.means[:, row].tolist(), strict=True)
        },
    }


def _digest(saliency: Tensor) -> str:
    return hashlib.sha256(saliency.float().numpy().tobytes()).hexdigest()[:12]
