"""Parts of both recipes left out, and fewer or more training samples."""

from pathlib import Path

from benchmarks.deepfaith.contest import Contest
from benchmarks.deepfaith.methods import ablations, ours
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.training import saliency_of, train
from benchmarks.shared.finished_runs import Run

SIZES = (100, 300, 1000, 3000, 10000)


def ablate(problem: Problem, cache: Path) -> Run:
    """Train every variant, and see how it stands on test samples.

    Args:
        problem: What is explained.
        cache: Folder of explanations and scores.
    """
    contest, found = Contest(problem, "test", cache), {}
    for name, method in ablations(problem.terms.kind).items():
        trained = train(problem, method, cache)
        found[name] = {
            **contest.standing(saliency_of(problem, trained.explainer, "test")),
            "training": trained.record,
            "curves": trained.curves,
        }
    return {"variants": found}


def vary_samples(problem: Problem, cache: Path) -> Run:
    """Train with fewer and more samples.

    Args:
        problem: What is explained, with training samples for the largest number if there are as
            many.
        cache: Folder of explanations and scores.
    """
    contest, found = Contest(problem, "test", cache), {}
    available = len(problem.parts["train"])
    for size in [each for each in SIZES if each <= available]:
        trained = train(problem, ours(problem.terms.kind), cache, samples=size)
        found[str(size)] = {
            **contest.standing(saliency_of(problem, trained.explainer, "test")),
            "training": trained.record,
        }
    return {"sizes": found}
