"""How our metrics are prepared for a problem."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from benchmarks.faithfulness_speed.features import elements, patches, segments_of
from benchmarks.faithfulness_speed.pair import Ours
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.settings import DRAWS, RADIUS
from pear_lightning.explainers import Gradient
from pear_lightning.masking import SegmentMasker, UniformNoise
from pear_lightning.metrics import (
    IROF,
    Infidelity,
    MaxSensitivity,
    MonotonicityCorrelation,
)


def ours_of(make_metric: Callable[[Problem], Any]) -> Ours:
    """Return how to prepare one of our metrics: its scores of all samples.

    Args:
        make_metric: Makes the metric.
    """

    def prepare(problem: Problem) -> Callable[[], Tensor]:
        metric = make_metric(problem)
        return lambda: metric.score(
            problem.model, problem.inputs, problem.attributions, problem.target
        )

    return prepare


def our_infidelity(problem: Problem) -> Infidelity:
    """Return infidelity over random subsets of the patches, in the units of its definition."""
    return Infidelity(patches(problem), n_subsets=DRAWS * 49, normalize=False)


def our_irof(problem: Problem) -> Callable[[], Tensor]:
    """Prepare IROF with the segments that Quantus finds, found anew in each call."""
    metric = IROF(SegmentMasker(baseline="own_mean", pooling="mean"), n_steps=None)
    return lambda: metric.score(
        problem.model,
        problem.inputs,
        problem.attributions,
        problem.target,
        masker_kwargs={"segments": segments_of(problem)},
    )


def our_monotonicity(problem: Problem) -> MonotonicityCorrelation:
    """Return the metric with a fixed baseline on images, a random one on the table."""
    if problem.is_image:
        return MonotonicityCorrelation(elements(problem))
    return MonotonicityCorrelation(elements(problem, UniformNoise()), n_draws=DRAWS)


def our_max_sensitivity(problem: Problem) -> Callable[[], Tensor]:
    """Prepare max-sensitivity of the gradient."""
    metric = MaxSensitivity(Gradient(), radius=RADIUS, n_samples=DRAWS, output="prob")
    return lambda: metric.score(problem.model, problem.inputs, problem.target)
