"""How Quantus' metrics are prepared for a problem.

Quantus is imported where it is used: without it our side still runs.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks.faithfulness_speed.pair import Theirs
from benchmarks.faithfulness_speed.problem import Problem

NO_NORMALISATION: dict[str, Any] = {"normalise": False, "disable_warnings": True}


def theirs_of(
    name: str, make_arguments: Callable[[Problem], dict[str, Any]], **call_arguments: Any
) -> Theirs:
    """Return how to prepare one of Quantus' metrics: its scores of all samples.

    Args:
        name: Class of the metric.
        make_arguments: Makes its arguments.
        **call_arguments: Further arguments of the call.
    """

    def prepare(problem: Problem) -> Callable[[], Any]:
        import quantus

        shape = problem.inputs.shape if problem.is_image else (-1, 1, problem.n_elements)
        inputs, attributions = (
            tensor.cpu().numpy().reshape(shape) for tensor in (problem.inputs, problem.attributions)
        )
        metric = getattr(quantus, name)(**NO_NORMALISATION | make_arguments(problem))
        arguments: dict[str, Any] = {
            "model": problem.model,
            "x_batch": inputs,
            "y_batch": problem.target.cpu().numpy(),
            "a_batch": attributions,
            "channel_first": True,
            "softmax": True,
            "device": problem.inputs.device.type,
            "batch_size": len(inputs),
        }

        def run() -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(metric(**arguments | call_arguments))

        return run

    return prepare


@contextmanager
def without_check() -> Iterator[None]:
    """Take away Quantus' check, sample by sample, of whether a perturbation changed anything."""
    with mock.patch("quantus.helpers.warn.warn_perturbation_caused_no_change", _no_check):
        yield


def _no_check(**_: Any) -> None:  # a mock would take longer than the check
    pass


def gradient_for_quantus(
    model: nn.Module, inputs: Any, targets: Any, device: str = "cpu", **_: Any
) -> Any:
    """Explain in the way that Quantus asks for: arrays in, arrays out.

    Args:
        model: The explained model.
        inputs: ``(B, *S)``.
        targets: ``(B,)``.
        device: Where the model is.
    """
    points = torch.as_tensor(np.asarray(inputs, np.float32), device=device).requires_grad_()
    logits = model(points)
    rows = torch.arange(len(points), device=device)
    scores = logits.softmax(dim=1)[rows, torch.as_tensor(targets, device=device)]
    return torch.autograd.grad(scores.sum(), points)[0].cpu().numpy()
