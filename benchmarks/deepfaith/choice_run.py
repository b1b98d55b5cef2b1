"""Mixtures of the loss, chosen on validation samples; and held-out metrics."""

from pathlib import Path
from typing import Any

from benchmarks.deepfaith.contest import Contest
from benchmarks.deepfaith.methods import candidates, papers
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.settings import HELD_OUT
from benchmarks.deepfaith.training import saliency_of, train
from benchmarks.shared.finished_runs import Run


def choose(problem: Problem, cache: Path) -> Run:
    """Train with every mixture; see how each stands on validation and on test samples.

    Args:
        problem: What is explained.
        cache: Folder of explanations and scores.
    """
    val, test = Contest(problem, "val", cache), Contest(problem, "test", cache)
    record: Run = {}
    for name, method in candidates(problem.terms.kind).items():
        explainer = train(problem, method, cache).explainer
        record[name] = {
            contest.part: contest.standing(saliency_of(problem, explainer, contest.part))
            for contest in (val, test)
        }
    return {"candidates": record}


def hold_out(problem: Problem, cache: Path) -> Run:
    """Select the supervision of the paper's recipe with eight metrics, see the other two.

    Args:
        problem: What is explained.
        cache: Folder of explanations and scores.
    """
    test, found = Contest(problem, "test", cache), dict[str, Any]()
    for pair in [(), *HELD_OUT]:
        trained = train(problem, papers(), cache, held_out=pair)
        found["+".join(pair)] = test.standing(saliency_of(problem, trained.explainer, "test"))
    return {"papers": found}
