import pytest
import torch

from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.trained_sets import pear_of
from benchmarks.pear_speed.zeros import loss_without_zeros, without_zeros
from benchmarks.shared.shape import Shape

TINY = Shape("tiny", 8, (20, 20), 16)


@pytest.mark.parametrize("rows", [None, 0.25])
def test_second_derivatives_of_activations_are_zero(rows: float | None) -> None:
    problem = Problem(TINY, "cpu", n_rows=64)
    module = pear_of("contributions", problem)
    module.objective.rows = rows
    inputs, target = problem.inputs[:16].float(), problem.target[:16]
    weights = list(module.backbone.parameters())
    loss = module.training_loss((inputs, target))["loss"]
    other = loss_without_zeros(module, without_zeros(module.backbone), inputs, target)
    torch.testing.assert_close(other, loss)
    expected = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(torch.autograd.grad(other, weights), expected)
