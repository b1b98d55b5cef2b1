"""Confidence of the explanations, and a fallback where it is low."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.deepfaith.contest import Contest
from benchmarks.deepfaith.methods import ours
from benchmarks.deepfaith.metrics import Scores
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.settings import CONTROLS, DEFINITIONS, OURS
from benchmarks.deepfaith.training import saliency_of, train
from benchmarks.shared.finished_runs import Run
from pear_lightning.explainers import ExplanationConfidence
from pear_lightning.functional.mean_ranks import ranks_of_means
from pear_lightning.functional.ranks import average_ranks

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
SUBSETS = (4, 8, 16, 32, 64)
"""Evaluations that a confidence takes."""


def try_confidence(problem: Problem, cache: Path) -> Run:
    """Compare the confidence with the faithfulness that was measured, and fall back.

    The faithfulness of a sample is the mean over the ten metrics of the standardised score: minus
    the mean, by the standard deviation, of the scores of DeepFaith on all samples, with the sign of
    the metric. A sample falls back to the prior that is best on validation samples.

    Args:
        problem: What is explained.
        cache: Folder of explanations and scores.
    """
    contest = Contest(problem, "test", cache)
    explainer = train(problem, ours(problem.terms.kind), cache).explainer
    learned = saliency_of(problem, explainer, "test")
    fallback = _best_prior(Contest(problem, "val", cache))
    batch = problem.parts["test"]
    bound = problem.masker.bind(batch.inputs, batch.sample_data)
    confidences = {
        f"{output}, {n}": ExplanationConfidence(n, output=output)(  # type: ignore[arg-type]
            problem.model, batch, bound, learned
        )
        for output in ("centered_logit", "prob")
        for n in SUBSETS
    }
    noise = torch.Generator().manual_seed(problem.seed)
    confidences["random"] = torch.rand(len(batch), generator=noise)
    record: Run = {"fallback": fallback, "calibration": {}, "curves": {}, "mean_ranks": {}}
    for definition in DEFINITIONS:
        scores, directions, names = contest.scores({OURS: learned}, definition)
        ours_row, other_row = names.index(OURS), names.index(fallback)
        own, other = _faithfulness(scores, directions, ours_row, other_row)
        record["calibration"][definition] = {
            name: round(_rank_correlation(each, own), 3) for name, each in confidences.items()
        }
        record["curves"][definition], record["mean_ranks"][definition] = {}, {}
        for name in ("centered_logit, 16", "prob, 16", "random", "oracle"):
            known = confidences.get(name, own - other)
            order = known.argsort(stable=True)
            faithfulness, ranks = [], []
            for share in SHARES:
                again = order[: round(share * len(order))]
                faithfulness.append(round(float(own.index_copy(0, again, other[again]).mean()), 4))
                ranks.append(_mean_rank(scores, directions, ours_row, other_row, again))
            record["curves"][definition][name] = faithfulness
            record["mean_ranks"][definition][name] = ranks
    return record


def _best_prior(contest: Contest) -> str:
    """Return the prior with the best mean rank by the library's definitions."""
    ranking = contest.ranking({}, DEFINITIONS[0])
    names: list[str] = [ranking.explainers[e] for e in ranking.order]
    return next(name for name in names if name not in CONTROLS)


def _faithfulness(
    scores: Scores, directions: dict[str, bool], ours_row: int, other_row: int
) -> tuple[Tensor, Tensor]:
    """Return the faithfulness of the explanations of two explainers, ``(N,)`` each."""
    own, other = [], []
    for metric, each in scores.items():
        sign = 1 if directions[metric] else -1
        mean, spread = each[ours_row].mean(), each[ours_row].std().clamp_min(1e-12)
        own.append(sign * (each[ours_row] - mean) / spread)
        other.append(sign * (each[other_row] - mean) / spread)
    return torch.stack(own).mean(dim=0), torch.stack(other).mean(dim=0)


def _rank_correlation(first: Tensor, second: Tensor) -> float:
    ranks: list[Any] = [average_ranks(each.double()[None])[0] for each in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def _mean_rank(
    scores: Scores, directions: dict[str, bool], ours_row: int, other_row: int, again: Tensor
) -> float:
    """Return the mean rank of DeepFaith in the field if some samples fall back."""
    means = []
    for each in scores.values():
        of_all = each.mean(dim=1)
        of_all[ours_row] = each[ours_row].index_copy(0, again, each[other_row, again]).mean()
        means.append(of_all)
    ranks = ranks_of_means(torch.stack(means), torch.tensor(list(directions.values())))
    return round(float(ranks.mean(dim=0)[ours_row]), 3)
