"""All metrics: the usual baseline, and how attributions are scaled."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.faithfulness_speed.differences.written import Difference, listed
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.scores import quantus_scores
from benchmarks.shared.watched import Watched


def convention_differences(problem: Problem) -> Iterator[Difference]:
    """Yield how the conventions of all metrics differ.

    Args:
        problem: A model and six images.
    """
    watched = Watched(problem.model, record=True).eval()
    first = problem.first(2).with_model(watched)
    inputs = first.inputs * torch.tensor([1.0, 0.5]).view(-1, 1, 1, 1)
    two = Problem("", watched, inputs, first.target, first.attributions)
    quantus_scores("PixelFlipping", two, features_in_step=784, perturb_baseline="black")
    yield {
        "metric": "all",
        "what": '`"black"`, the usual baseline, is the smallest value of the sample itself, or of '
        "what is left of it; ours is what the masker says",
        "measured": f"two samples become {listed(watched.seen().flatten(1)[:, 0])}, their "
        f"smallest values are {listed(two.inputs.flatten(1).amin(dim=1))}",
    }

    scaled = torch.arange(1, 7)[:, None, None, None] * problem.attributions
    seen: list[Any] = []

    def keep(a: Any, b: Any, **_: Any) -> Any:
        seen.append(a)
        return np.zeros(len(a))

    quantus_scores(
        "FaithfulnessEstimate",
        Problem("", problem.model, problem.inputs, problem.target, scaled),
        normalise=True,
        similarity_func=keep,
    )
    yield {
        "metric": "all",
        "what": "attributions are divided by the largest of the whole batch by default "
        "(`normalise=True`); correlations do not care; ours takes them as they are",
        "measured": f"largest of each sample afterwards: {listed(np.abs(seen[0]).max(axis=1))}",
    }
