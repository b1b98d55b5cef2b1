"""Entries of one tensor or another."""

import torch
from torch import Tensor

from pear_lightning.functional.validation import is_traced

_SMALL = 2**12  # entries up to which the fixed cost of the masks is not won back

_BITS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def chosen(condition: Tensor, inputs: Tensor, others: Tensor) -> Tensor:
    """Return ``torch.where(condition, inputs, others)``, bit by bit.

    On a CPU, masks of bits take a third to a sixth of the time of ``torch.where`` on large tensors.
    Small tensors, and tensors that autograd follows, go through ``torch.where``.

    Args:
        condition: Bool.
        inputs: Where the condition is true; any dtype, broadcastable.
        others: Where it is false, in the dtype of the inputs.

    Example:
        >>> chosen(torch.tensor([True, False]), torch.tensor([1.0, -0.0]), torch.tensor([2.0]))
        tensor([1., 2.])
    """
    integer = _BITS.get(inputs.dtype)
    follows = torch.is_grad_enabled() and (inputs.requires_grad or others.requires_grad)
    if (
        integer is None
        or max(condition.numel(), inputs.numel()) <= _SMALL
        or follows
        or others.dtype != inputs.dtype
        or not condition.device == inputs.device == others.device == torch.device("cpu")
        or any(map(is_traced, (condition, inputs, others)))
    ):
        return torch.where(condition, inputs, others)
    mask = condition.to(integer).neg_()  # every bit set, or none
    a, b = inputs.detach().view(integer), others.detach().view(integer)
    if b.numel() == 1 and not int(b):
        return (a & mask).view(inputs.dtype)
    return ((a ^ b) & mask).bitwise_xor_(b).view(inputs.dtype)
