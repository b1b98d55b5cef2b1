"""Correlations that are not defined: constants, and probabilities next to 0."""

from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.faithfulness_speed.differences.written import Difference, error_of, listed
from benchmarks.faithfulness_speed.features import elements
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.scores import our_scores, quantus_scores
from pear_lightning.metrics import FaithfulnessEstimate, MonotonicityCorrelation


def undefined_differences(problem: Problem) -> Iterator[Difference]:
    """Yield what becomes of correlations that are not defined.

    Args:
        problem: A model and six images.
    """
    linear = nn.Linear(784, 3)
    flat = nn.Sequential(nn.Flatten(), linear).eval().requires_grad_(False)
    linear.weight.zero_()
    constant = Problem("", flat, problem.inputs, problem.target * 0, problem.attributions)
    yield {
        "metric": "correlations",
        "what": "a model or an explanation that is constant gives NaN; ours gives 0 and counts it",
        "measured": f"Quantus {listed(quantus_scores('FaithfulnessEstimate', constant))}, ours "
        f"{listed(our_scores(FaithfulnessEstimate(elements(constant)), constant))}",
    }

    linear = nn.Linear(784, 3)
    flat = nn.Sequential(nn.Flatten(), linear).eval().requires_grad_(False)
    linear.bias.copy_(torch.tensor([-30.0, 0.0, 0.0]))
    target = torch.tensor([0, 1, 1, 1, 1, 1])
    unlikely = Problem("", flat, problem.inputs, target, problem.attributions)
    ours = our_scores(MonotonicityCorrelation(elements(unlikely)), unlikely)
    yield {
        "metric": "monotonicity correlation",
        "what": "one sample whose explained probability is below 1e-5 stops the batch; ours does "
        "not divide by the squared probability, which leaves ranks as they are",
        "measured": "Quantus "
        + error_of(lambda: quantus_scores("MonotonicityCorrelation", unlikely, nr_samples=1))
        + f"; ours {listed(ours)}",
    }
