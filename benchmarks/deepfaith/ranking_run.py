"""The main ranking: priors, controls, the paper's recipe and ours, on test samples."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.deepfaith.contest import Contest
from benchmarks.deepfaith.methods import compared
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.settings import DEFINITIONS
from benchmarks.deepfaith.training import saliency_of, train
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.ranking_records import as_record
from pear_lightning.metrics import ExplainerRanking


def rank_seed(problem: Problem, cache: Path) -> Run:
    """Rank on the samples of one seed, and keep the scores of each sample for :func:`pool`.

    Args:
        problem: What is explained.
        cache: Folder of explanations and scores.
    """
    contest, joining, training = Contest(problem, "test", cache), {}, {}
    curves: dict[str, Any] = {}
    for name, method in compared(problem.terms.kind).items():
        trained = train(problem, method, cache)
        joining[name] = saliency_of(problem, trained.explainer, "test")
        training[name], curves[name] = trained.record, trained.curves
    record: Run = {"accuracy": round(problem.accuracy, 2), "training": training, "curves": curves}
    for definition in DEFINITIONS:
        scores, directions, names = contest.scores(joining, definition)
        saved = (scores, directions, names, problem.test_rows)
        torch.save(saved, cache / f"ranked-{definition}.pt")
        ranking = ExplainerRanking.from_scores(scores, names, directions)
        record[definition] = as_record(ranking)
    return record


def pool(caches: list[Path]) -> Run:
    """Rank on the samples of all seeds together.

    Scores of a test row that several seeds explain are averaged: the networks differ, but they are
    not independent samples of rows.

    Args:
        caches: Folders of the seeds, each ranked before.

    Returns:
        Rankings of the explainers that all seeds have.
    """
    record: Run = {}
    for definition in DEFINITIONS:
        saved: list[Any] = [torch.load(each / f"ranked-{definition}.pt") for each in caches]
        names = [each for each in saved[0][2] if all(each in other[2] for other in saved)]
        rows = torch.cat([each[3] for each in saved])
        pooled = {}
        for metric in saved[0][0]:
            each = [scores[metric][[of.index(n) for n in names]] for scores, _, of, _ in saved]
            pooled[metric] = mean_of_rows(torch.cat(each, dim=1), rows)
        ranking = ExplainerRanking.from_scores(pooled, names, saved[0][1])
        record[definition] = as_record(ranking)
    return record


def mean_of_rows(scores: Tensor, rows: Tensor) -> Tensor:
    """Return the mean of the scores of each row, one column for each different row.

    Args:
        scores: ``(E, N)``.
        rows: Row of each score, ``(N,)`` long.
    """
    distinct, place = rows.unique(return_inverse=True)
    sums = scores.new_zeros(len(scores), len(distinct)).index_add_(1, place, scores)
    return sums / place.bincount(minlength=len(distinct))
