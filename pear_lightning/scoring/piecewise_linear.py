"""Piecewise linear activations without the work that their zero second derivative costs."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torch.overrides import TorchFunctionMode


def _relu(inputs: Tensor, inplace: bool = False) -> Tensor:
    return torch.where(inputs.detach() > 0, inputs, 0)


def _leaky_relu(inputs: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return torch.where(inputs.detach() > 0, inputs, negative_slope * inputs)


def _relu6(inputs: Tensor, inplace: bool = False) -> Tensor:
    held = inputs.detach()
    return torch.where((held > 0) & (held < 6), inputs, held.clamp(0, 6))


_CONSTANT_SLOPES: Mapping[Callable[..., Any], Callable[..., Tensor]] = {
    F.relu: _relu,
    F.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    Tensor.relu: _relu,
    Tensor.relu_: _relu,
    F.leaky_relu: _leaky_relu,
    F.leaky_relu_: _leaky_relu,
    F.relu6: _relu6,
}


class ConstantSlopes(TorchFunctionMode):
    """Run piecewise linear activations with slopes that are constants to autograd.

    The second derivative of ReLU, leaky ReLU and ReLU6 is zero, but autograd does not know it: the
    backward pass of a loss of input gradients computes those zeros and carries them through the
    forward graph of all query points. With slopes that carry no graph, the backward pass goes
    through the graph of the gradients alone. Values and gradients are the same; what must not be
    asked for afterwards is a gradient of the model's *outputs* through the same pass, which would
    be right too, but walks the graph that this mode keeps out.

    Example:
        >>> x = torch.tensor([-1.0, 2.0], requires_grad=True)
        >>> with ConstantSlopes():
        ...     y = torch.nn.ReLU()(x)
        >>> torch.autograd.grad(y.sum(), x)[0]
        tensor([0., 1.])
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace an activation; everything else is called as it is."""
        run: Callable[..., Any] = _CONSTANT_SLOPES.get(func, func)
        return run(*args, **(kwargs or {}))
