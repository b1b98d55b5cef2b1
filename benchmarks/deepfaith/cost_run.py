"""What explanations cost, side by side."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.deepfaith.methods import ours, papers
from benchmarks.deepfaith.priors import priors_of
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.settings import OURS
from benchmarks.deepfaith.training import train
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.machine import machine
from benchmarks.shared.timing import interleaved
from benchmarks.shared.watched import Watched
from pear_lightning.explainers.prior_sets import explain_with_priors
from pear_lightning.scoring.batch import Batch

SAMPLES = 50
REPETITIONS = 7


def measure_cost(problem: Problem, cache: Path) -> Run:
    """Time one batch of explanations by every explainer in turns, and training.

    Args:
        problem: What is explained.
        cache: Folder of the supervision.
    """
    batch = problem.parts["test"].rows(slice(SAMPLES))
    model = Watched(problem.model).eval()
    method = ours(problem.terms.kind)
    trained = train(problem, method, cache)
    functions: dict[str, Callable[[], Any]] = {
        OURS: lambda: trained.explainer.attributions(batch),
        **{name: _by(name, problem, model, batch) for name in priors_of(problem)},
    }
    evaluations = {}
    for name, function in functions.items():
        model.reset()
        function()
        evaluations[name] = round(model.samples / len(batch), 2)
    times = interleaved(functions, REPETITIONS, time.process_time)
    labelled = train(problem, papers(), cache).record
    return {
        **machine("cpu"),
        "samples": len(batch),
        "ms": {name: round(1000 * min(each) / len(batch), 4) for name, each in times.items()},
        "evaluations": evaluations,
        "training": trained.record,
        "training_of_papers": labelled,
    }


def _by(name: str, problem: Problem, model: Watched, batch: Batch) -> Callable[[], Any]:
    prior = {name: priors_of(problem)[name]}
    return lambda: explain_with_priors(model, batch, prior, points_per_pass=50)
