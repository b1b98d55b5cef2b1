import pytest
import torch

from pear_lightning.functional.chosen import chosen

VALUES = torch.tensor([1.5, -0.0, 0.0, float("inf"), float("-inf"), float("nan"), 1e-45, -3e38])


def bits(tensor):
    return tensor.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("others", ["values", "zero", "negative zero"])
def test_every_bit_is_that_of_where(dtype, others):
    inputs = VALUES.to(dtype).expand(3, -1)
    condition = torch.rand(2, 1, 3, 8) < 0.5
    other = {
        "values": VALUES.flip(0),
        "zero": torch.zeros(1),
        "negative zero": torch.tensor([-0.0]),
    }
    other = other[others].to(dtype)
    expected = torch.where(condition, inputs, other)
    actual = chosen(condition, inputs, other)
    assert actual.shape == expected.shape
    assert actual.dtype == dtype
    assert torch.equal(bits(actual), bits(expected))


def test_other_types_are_promoted_as_by_where():
    condition, ids = torch.tensor([True, False]), torch.tensor([3, 4])
    assert torch.equal(chosen(condition, ids, torch.zeros(1).long()), torch.tensor([3, 0]))
    mixed = chosen(condition, torch.ones(2), torch.zeros(2).double())
    assert mixed.dtype == torch.float64
    assert mixed.tolist() == [1, 0]


@pytest.mark.parametrize("which", [0, 1])
def test_gradients_reach_both_tensors(which):
    tensors = [torch.ones(2), torch.zeros(2)]
    tensors[which].requires_grad_()
    chosen(torch.tensor([True, False]), *tensors).sum().backward()
    assert tensors[which].grad.tolist() == ([1, 0] if which == 0 else [0, 1])
    with torch.no_grad():
        assert not chosen(torch.tensor([True, False]), *tensors).requires_grad


def test_inputs_are_left_as_they_are():
    inputs, others = torch.rand(4), torch.rand(4)
    before = inputs.clone(), others.clone()
    chosen(torch.tensor([True, False, True, False]), inputs, others)
    assert torch.equal(inputs, before[0])
    assert torch.equal(others, before[1])


def test_under_a_transform():
    condition = torch.tensor([True, False])
    rows = torch.rand(3, 2)
    by_row = torch.func.vmap(lambda row: chosen(condition, row, torch.zeros(1)))(rows)
    assert torch.equal(by_row, rows * torch.tensor([1.0, 0.0]))
