import pytest
import torch

from benchmarks.pear_speed import authors_way
from benchmarks.pear_speed.problem import Problem
from benchmarks.pear_speed.steps import fitted_module
from benchmarks.shared.shape import Shape

TINY = Shape("tiny", 8, (20, 20), 16)


@pytest.mark.parametrize("batch", [0, 1])
def test_the_authors_way_and_ours_give_one_loss_and_one_gradient(batch: int) -> None:
    problem = Problem(TINY, "cpu", n_rows=64)
    rows = slice(batch * 16, batch * 16 + 16)
    inputs, target = problem.inputs[rows], problem.target[rows]
    theirs = problem.network()
    expected = authors_way.training_loss(theirs, inputs, target, problem.inputs)
    expected.backward()
    module = fitted_module(problem, paper=True)
    with pytest.warns(UserWarning, match="added to all logits"):
        loss = module.training_loss((inputs.float(), target))["loss"]
    loss.backward()
    torch.testing.assert_close(loss, expected.float(), rtol=1e-5, atol=1e-6)
    pairs = zip(module.backbone.named_parameters(), theirs.parameters(), strict=True)
    for (name, ours), other in pairs:
        torch.testing.assert_close(ours.grad, other.grad, rtol=1e-3, atol=1e-6, msg=name)
    assert not inputs.requires_grad
