"""Contextual decomposition: the contribution of a part of the input, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.stand_ins.stand_in import (
    DROPOUTS,
    NoRuleError,
    Rule,
    StandIn,
    batch_norm_scale_and_shift,
)

_STABILISER = 1e-19  # splits a bias in halves where both parts are 0


class Decomposed(StandIn):
    r"""A tensor decomposed into the sum of a relevant part β and the rest γ.

    Passed to a network in place of its input, it becomes a decomposition of the logits, whose parts
    sum to the logits. Linear and convolutional layers (and batch norm) act on both parts and share
    their bias in proportion to the sizes of the two results; a ReLU gives
    :math:`\beta' = \mathrm{ReLU}(\beta)` and
    :math:`\gamma' = \mathrm{ReLU}(\beta + \gamma) - \mathrm{ReLU}(\beta)`; max pooling selects both
    parts at the position where their sum is largest.

    Args:
        relevant: β, any shape.
        rest: γ, same shape.

    Raises:
        NoRuleError: If a network calls a function without a rule.

    Example:
        >>> x, mask = torch.rand(2, 4), torch.tensor([1.0, 0.0, 0.0, 0.0])
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
        >>> parts = network(Decomposed(mask * x, x - mask * x))
        >>> torch.allclose(parts.relevant + parts.rest, network(x), atol=1e-6)
        True

    References:
        Singh, Murdoch, Yu, *Hierarchical interpretations for neural network predictions*, ICLR
        2019, arXiv 1806.05337.
    """

    kind: ClassVar[str] = "contextual decomposition"

    def __init__(self, relevant: Tensor, rest: Tensor) -> None:
        super().__init__(relevant)
        self.relevant = relevant
        self.rest = rest
        self._before: tuple[Decomposed, Tensor] | None = None

    @property
    def total(self) -> Tensor:
        """The tensor that is decomposed."""
        return self.relevant + self.rest

    def each(self, function: Callable[[Tensor], Tensor]) -> Decomposed:
        """Return the decomposition after applying a linear map to both parts.

        Args:
            function: The map.
        """
        return Decomposed(function(self.relevant), function(self.rest))

    def plus(self, bias: Tensor) -> Decomposed:
        """Return the sum with a constant, which the parts share in proportion to their sizes.

        Args:
            bias: The constant, broadcast to the shape.
        """
        relevant, rest = self.relevant.abs() + _STABILISER, self.rest.abs() + _STABILISER
        share = relevant / (relevant + rest)
        result = Decomposed(self.relevant + share * bias, self.rest + (1 - share) * bias)
        before, constant = self._before or (self, torch.zeros_like(bias))
        result._before = (before, constant + bias)
        return result

    def centred(self) -> Decomposed:
        """Return the decomposition of the values minus their mean over dimension 1.

        Constants that were added last, such as the bias of the last layer, are centred before the
        parts share them, so that the result does not depend on a function that the last layer adds
        to all values of a row.
        """
        before, bias = self._before or (self, None)
        parts = before.each(lambda v: v - v.mean(dim=1, keepdim=True))
        return parts if bias is None else parts.plus(bias - bias.mean(dim=-1, keepdim=True))


def _linear(input: Decomposed, weight: Tensor, bias: Tensor | None = None) -> Decomposed:
    _refuse_tensor(input)
    parts = input.each(lambda v: F.linear(v, weight))
    return parts if bias is None else parts.plus(bias)


def _convolution(function: Callable[..., Tensor]) -> Rule:
    def rule(
        input: Decomposed, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Decomposed:
        _refuse_tensor(input)
        parts = input.each(lambda v: function(v, weight, None, *args, **kwargs))
        return parts if bias is None else parts.plus(bias.reshape(-1, *(1,) * (input.ndim - 2)))

    return rule


def _refuse_tensor(input: Any) -> None:
    if isinstance(input, Tensor):
        raise NoRuleError(
            "input must be a decomposition, got a tensor; a decomposition cannot be a weight"
        )


def _batch_norm(input: Decomposed, *args: Any, **kwargs: Any) -> Decomposed:
    scale, shift = batch_norm_scale_and_shift(input.ndim, *args, **kwargs)
    return input.each(lambda v: v * scale).plus(shift)


def _relu(input: Decomposed, inplace: bool = False) -> Decomposed:
    relevant = torch.relu(input.relevant)
    return Decomposed(relevant, torch.relu(input.total) - relevant)


def _max_pool(function: Callable[..., Any]) -> Rule:
    def rule(
        input: Decomposed,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Decomposed:
        total = input.total.detach()
        values, places = function(
            total, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
        )
        from_batch = total.ndim - values.ndim + 2  # dimensions before the positions

        def chosen(v: Tensor) -> Tensor:
            at = places.flatten(from_batch)
            return v.flatten(from_batch).gather(from_batch, at).reshape(values.shape)

        return input.each(chosen)

    return rule


def _linear_function(function: Callable[..., Tensor]) -> Rule:
    """Return the rule of a linear map without a bias."""
    return lambda input, *args, **kwargs: input.each(lambda v: function(v, *args, **kwargs))


def _linear_method(name: str) -> Rule:
    return _linear_function(lambda v, *args, **kwargs: getattr(v, name)(*args, **kwargs))


def _add(a: Any, b: Any, *, alpha: float = 1) -> Decomposed:
    if not isinstance(b, Decomposed):
        parts: Decomposed = a
        return parts.plus(alpha * _bias(b, parts))
    parts = b if alpha == 1 else _mul(b, alpha)
    if isinstance(a, Decomposed):
        return Decomposed(a.relevant + parts.relevant, a.rest + parts.rest)
    return parts.plus(_bias(a, parts))


def _bias(constant: Any, like: Decomposed) -> Tensor:
    return torch.as_tensor(constant, dtype=like.dtype, device=like.device)


def _sub(a: Any, b: Any, *, alpha: float = 1) -> Decomposed:
    return _add(a, b, alpha=-alpha)


def _mul(a: Any, b: Any) -> Decomposed:
    if isinstance(a, Decomposed) and isinstance(b, Decomposed):
        raise NoRuleError("mul must have at most one decomposition as a factor, got two")
    parts, factor = (a, b) if isinstance(a, Decomposed) else (b, a)
    return parts.each(lambda v: v * factor)


def _div(a: Any, b: Any) -> Decomposed:
    if isinstance(b, Decomposed):
        raise NoRuleError("div must have a number or a tensor as divisor, got a decomposition")
    parts: Decomposed = a
    return parts.each(lambda v: v / b)


def _cat(tensors: Sequence[Any], dim: int = 0) -> Decomposed:
    like = next(part for part in tensors if isinstance(part, Decomposed))
    parts = [part if isinstance(part, Decomposed) else _constant(part, like) for part in tensors]
    relevant = torch.cat([part.relevant for part in parts], dim)
    return Decomposed(relevant, torch.cat([part.rest for part in parts], dim))


def _constant(value: Tensor, like: Decomposed) -> Decomposed:
    zeros = torch.zeros_like(value, dtype=like.dtype)
    return Decomposed(zeros, zeros).plus(value)


def _pad(
    input: Decomposed, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Decomposed:
    parts = input.each(lambda v: F.pad(v, pad, mode))
    if not value:
        return parts
    return parts.plus(F.pad(torch.zeros_like(input.relevant), pad, mode, value))


_METHODS = [
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose", "contiguous"),
    *("mean", "sum", "neg", "float", "double", "clone"),
]

Decomposed.rules = {
    "linear": _linear,
    "conv1d": _convolution(F.conv1d),
    "conv2d": _convolution(F.conv2d),
    "conv3d": _convolution(F.conv3d),
    "batch_norm": _batch_norm,
    **DROPOUTS,
    "relu": _relu,
    "max_pool1d": _max_pool(F.max_pool1d),
    "max_pool2d": _max_pool(F.max_pool2d),
    "max_pool3d": _max_pool(F.max_pool3d),
    "avg_pool1d": _linear_function(F.avg_pool1d),
    "avg_pool2d": _linear_function(F.avg_pool2d),
    "avg_pool3d": _linear_function(F.avg_pool3d),
    "adaptive_avg_pool1d": _linear_function(F.adaptive_avg_pool1d),
    "adaptive_avg_pool2d": _linear_function(F.adaptive_avg_pool2d),
    "adaptive_avg_pool3d": _linear_function(F.adaptive_avg_pool3d),
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "cat": _cat,
    "pad": _pad,
    **{name: _linear_method(name) for name in _METHODS},
}
