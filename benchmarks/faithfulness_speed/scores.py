"""Scores of one metric, ours and Quantus', as tensors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.quantus_side import theirs_of


def our_scores(metric: Any, problem: Problem, **kwargs: Any) -> Tensor:
    """Return the scores of one of our metrics.

    Args:
        metric: The metric.
        problem: Model and samples.
        **kwargs: Further arguments of ``score``.
    """
    scores: Tensor = metric.score(
        problem.model, problem.inputs, problem.attributions, problem.target, **kwargs
    )
    return scores


def quantus_scores(
    name: str, problem: Problem, call_arguments: dict[str, Any] | None = None, **arguments: Any
) -> Tensor:
    """Return the scores of a metric of Quantus, float64.

    Args:
        name: Class of the metric.
        problem: Model and samples.
        call_arguments: Arguments of the call.
        **arguments: Of the metric; its baseline is 0 unless they say otherwise.
    """
    if name != "MaxSensitivity":
        arguments = {"perturb_baseline": 0.0} | arguments
    function = theirs_of(name, lambda _: arguments, **call_arguments or {})(problem)
    return torch.from_numpy(np.asarray(function(), np.float64))
