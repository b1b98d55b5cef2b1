"""How Captum's metrics are prepared for a problem."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.settings import DRAWS, PATCH, RADIUS

ROWS_AT_ONCE = 256  # of Captum's infidelity


def captum_infidelity(problem: Problem) -> Callable[[], Tensor]:
    """Prepare Captum's infidelity: random subsets of a tenth of the patches.

    Args:
        problem: Model and samples.
    """
    from captum.metrics import infidelity

    shape = (28 // PATCH, 28 // PATCH)
    size = math.prod(shape) // 10

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        keys = torch.rand(len(inputs), math.prod(shape), device=inputs.device)
        removed = torch.zeros_like(keys).scatter_(1, keys.topk(size).indices, 1.0)
        removed = removed.view(-1, 1, *shape)
        removed = removed.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
        return removed, inputs * (1 - removed)

    return lambda: infidelity(
        _probabilities(problem),
        perturb,
        problem.inputs,
        problem.attributions,
        target=problem.target,
        n_perturb_samples=DRAWS * 49,
        max_examples_per_batch=ROWS_AT_ONCE,
    )


def captum_max_sensitivity(problem: Problem) -> Callable[[], Tensor]:
    """Prepare Captum's max-sensitivity of the gradient.

    Args:
        problem: Model and samples.
    """
    from captum.metrics import sensitivity_max

    @torch.enable_grad()  # Captum turns it off
    def gradient(inputs: tuple[Tensor], target: Tensor) -> tuple[Tensor, ...]:
        points = inputs[0].detach().requires_grad_()
        scores = _probabilities(problem)(points).gather(1, target[:, None])
        return torch.autograd.grad(scores.sum(), (points,))

    return lambda: sensitivity_max(
        gradient,
        problem.inputs,
        perturb_radius=RADIUS,
        n_perturb_samples=DRAWS,
        target=problem.target,
    )


def _probabilities(problem: Problem) -> Callable[[Tensor], Tensor]:
    return lambda inputs: problem.model(inputs).softmax(dim=1)
