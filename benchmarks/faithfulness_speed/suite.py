"""One suite for several explanations, against its metrics one by one."""

import statistics
from collections.abc import Callable
from typing import Any

from torch import Tensor

from benchmarks.faithfulness_speed.features import patches
from benchmarks.faithfulness_speed.problem import EXPLANATIONS, Problem
from benchmarks.faithfulness_speed.settings import RUNS
from benchmarks.shared.timing import interleaved
from benchmarks.shared.watched import Watched
from pear_lightning.masking import ColumnMasker
from pear_lightning.metrics import FaithfulnessSuite

STEPS = 48


def compare_suite(problem: Problem, repetitions: int, now: Callable[[], float]) -> dict[str, Any]:
    """Time the ten metrics of a suite, together and one by one.

    Args:
        problem: Model and samples.
        repetitions: How often.
        now: The clock.

    Returns:
        A record.
    """
    attributions = problem.more_attributions()
    masker = patches(problem) if problem.is_image else ColumnMasker(problem.n_elements)
    suite = FaithfulnessSuite(masker, list(attributions), n_steps=STEPS, n_subsets=RUNS)
    watched = Watched(problem.model).eval()

    def together() -> dict[str, Tensor]:
        return suite.score(watched, problem.inputs, attributions, problem.target)

    def one_by_one() -> list[Tensor]:
        return [
            metric.score(watched, problem.inputs, each, problem.target)
            for each in attributions.values()
            for metric in suite.metrics.values()
        ]

    functions: dict[str, Callable[[], Any]] = {"together": together, "one_by_one": one_by_one}
    evaluations = {}
    for name, function in functions.items():
        watched.reset()
        function()
        evaluations[name] = watched.samples / len(problem.inputs)
    times = interleaved(functions, repetitions, now)
    return {
        "problem": problem.name,
        "samples": len(problem.inputs),
        "features": patches(problem).n_features if problem.is_image else problem.n_elements,
        "metrics": len(suite.metrics),
        "explanations": EXPLANATIONS,
        "evaluations": evaluations,
        "seconds": {name: statistics.median(values) for name, values in times.items()},
    }
