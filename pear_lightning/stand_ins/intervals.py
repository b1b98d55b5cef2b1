"""Interval arithmetic for networks, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

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

Pullback = Callable[["Interval"], tuple["Interval", ...]]
Transposed = Callable[[Tensor], tuple[Tensor, ...]]
# how a function maps rows: each by itself and all alike, each by itself, or together
Rows = Literal["alike", "apart", "mixed"]
Map = Callable[[Tensor], Tensor]


class Interval(StandIn):
    r"""All tensors between two bounds, element by element.

    Passed to a network in place of its input, it becomes an interval that contains the output of
    the network for every input in the interval (interval bound propagation). Affine layers map the
    centre and, with the absolute values of their weights, the radius; monotone functions map the
    bounds. Each interval stores the intervals that it was computed from, so that gradients can be
    bounded as well (:mod:`~pear_lightning.stand_ins.interval_graph`). The bounds carry gradients to
    the weights, and are exact up to rounding if both bounds of the input are equal.

    Args:
        lower: Lower bounds, any shape.
        upper: Upper bounds, same shape.
        parents: The intervals that it was computed from.
        pullback: Maps bounds of a gradient at this interval to bounds at its parents.
        transposed: Maps a gradient at this interval to the gradients at its parents, if the
            function that computed it is affine and maps each row (along the first dimension) by
            itself; ``None`` for any other function. A gradient with a single row is that of all
            rows, and has a single row at the parents if all rows are mapped alike.

    Raises:
        NoRuleError: If a network calls a function without a rule.

    Example:
        >>> box = Interval(torch.tensor([[-1.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
        >>> layer = torch.nn.Linear(2, 1)
        >>> reached = layer(box)
        >>> bool((reached.upper - reached.lower).allclose(2 * layer.weight[0, 0].abs()))
        True

    References:
        Gowal et al., *On the Effectiveness of Interval Bound Propagation for Training Verifiably
        Robust Models*, 2018, arXiv 1810.12715; backwards as in Wicker et al., *Robust
        Explanation Constraints for Neural Networks*, ICLR 2023, arXiv 2212.08507.
    """

    kind: ClassVar[str] = "intervals"

    def __init__(
        self,
        lower: Tensor,
        upper: Tensor,
        parents: tuple[Interval, ...] = (),
        pullback: Pullback | None = None,
        transposed: Transposed | None = None,
    ) -> None:
        super().__init__(lower)
        self.lower = lower
        self.upper = upper
        self.parents = parents
        self.pullback = pullback
        self.transposed = transposed

    @property
    def centre(self) -> Tensor:
        """Midpoints."""
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        """Half the widths."""
        return (self.upper - self.lower) / 2


# --- kinds of functions -----------------------------------------------------------------------


def _affine(
    x: Interval,
    function: Map,
    of_radius: Map,
    transposes: tuple[Map, Map] | None = None,
    *,
    rows: Rows = "alike",
) -> Interval:
    """Apply an affine map, given together with the linear map with absolute weights.

    ``transposes`` holds the transposes of both; if it is ``None``, autograd computes them.
    ``rows`` tells how rows are mapped, provided that the result has as many as ``x``.
    """
    if isinstance(x, Tensor):
        raise NoRuleError("input must be an interval, got a tensor; an interval cannot be a weight")
    centre, radius = function(x.centre), of_radius(x.radius)
    rows = rows if centre.shape[:1] == x.shape[:1] else "mixed"
    if transposes is None:
        transposes = _transpose(function, x.lower, rows), _transpose(of_radius, x.lower, rows)
    transpose, transpose_of_radius = transposes

    def pullback(gradient: Interval) -> tuple[Interval, ...]:
        centre, radius = transpose(gradient.centre), transpose_of_radius(gradient.radius)
        return (Interval(centre - radius, centre + radius),)

    def transposed(gradient: Tensor) -> tuple[Tensor, ...]:
        if rows == "apart":
            gradient = gradient.expand(len(x), *gradient.shape[1:])
        return (transpose(gradient),)

    result = Interval(centre - radius, centre + radius, (x,), pullback)
    result.transposed = None if rows == "mixed" else transposed
    return result


def _transpose(function: Map, x: Tensor, rows: Rows) -> Map:
    """Return the transpose of an affine map, whose derivative is the same everywhere."""

    def transpose(gradient: Tensor) -> Tensor:
        anywhere = x[: len(gradient)] if rows == "alike" else x
        at_input: Tensor = torch.func.vjp(function, anywhere)[1](gradient)[0]
        return at_input

    return transpose


def _monotone(x: Interval, function: Map, slopes: Callable[[Tensor, Tensor], Any]) -> Interval:
    """Apply a non-decreasing function, element by element.

    ``slopes`` maps both bounds to the smallest and the largest derivative between them.
    """

    def pullback(gradient: Interval) -> tuple[Interval, ...]:
        return (_scaled(gradient, *slopes(x.lower, x.upper)),)

    return Interval(function(x.lower), function(x.upper), (x,), pullback)


def _scaled(gradient: Interval, least: Tensor, most: Tensor) -> Interval:
    """Multiply by a factor between two others, both at least 0."""
    return Interval(
        torch.minimum(least * gradient.lower, most * gradient.lower),
        torch.maximum(least * gradient.upper, most * gradient.upper),
    )


def _rising(derivative: Map) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the range function of a non-decreasing derivative (of a convex function)."""
    return lambda lower, upper: (derivative(lower), derivative(upper))


def _peaked(derivative: Map) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the range function of a derivative that increases up to 0 and decreases after it."""

    def slopes(lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
        nearest = torch.where(lower > 0, lower, torch.where(upper < 0, upper, 0))
        return torch.minimum(derivative(lower), derivative(upper)), derivative(nearest)

    return slopes


def _moves(name: str, rows: Callable[..., Rows]) -> Rule:
    """Return the rule of a method that moves elements, or sums them with positive weights.

    ``rows`` maps the interval and the arguments of the method to how it maps rows.
    """

    def rule(x: Interval, *args: Any, **kwargs: Any) -> Interval:
        function = _method(name, *args, **kwargs)
        return _affine(x, function, function, rows=rows(x, *args, **kwargs))

    return rule


def _reshapes(name: str) -> Rule:
    """Return the rule of a method that keeps the order of the elements, and with it their rows."""

    def rule(x: Interval, *args: Any, **kwargs: Any) -> Interval:
        def transpose(gradient: Tensor) -> Tensor:
            shape = (-1, *x.shape[1:]) if x.ndim else ()
            return gradient.reshape(shape).to(x.dtype)

        function = _method(name, *args, **kwargs)
        return _affine(x, function, function, (transpose, transpose))

    return rule


def _method(name: str, *args: Any, **kwargs: Any) -> Map:
    def function(v: Tensor) -> Tensor:
        result: Tensor = getattr(v, name)(*args, **kwargs)
        return result

    return function


def _pools(function: Callable[..., Tensor]) -> Rule:
    """Return the rule of average pooling."""

    def rule(input: Interval, *args: Any, **kwargs: Any) -> Interval:
        return _affine(
            input,
            lambda v: function(v, *args, **kwargs),
            lambda v: function(v, *args, **kwargs),
        )

    return rule


# --- rules ------------------------------------------------------------------------------------


def _linear(input: Interval, weight: Tensor, bias: Tensor | None = None) -> Interval:
    return _affine(
        input,
        lambda v: F.linear(v, weight, bias),
        lambda v: F.linear(v, weight.abs()),
        (lambda g: F.linear(g, weight.T), lambda g: F.linear(g, weight.T.abs())),
        rows="alike" if input.ndim > 1 else "mixed",
    )


def _convolution(function: Callable[..., Tensor]) -> Rule:
    def rule(
        input: Interval, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Interval:
        return _affine(
            input,
            lambda v: function(v, weight, bias, *args, **kwargs),
            lambda v: function(v, weight.abs(), None, *args, **kwargs),
            rows="alike" if input.ndim == weight.ndim else "mixed",  # one sample without a batch
        )

    return rule


def _batch_norm(input: Interval, *args: Any, **kwargs: Any) -> Interval:
    scale, shift = batch_norm_scale_and_shift(input.ndim, *args, **kwargs)
    return _affine(input, lambda v: v * scale + shift, lambda v: v * scale.abs())


def _relu(input: Interval, inplace: bool = False) -> Interval:
    return _monotone(input, torch.relu, _rising(lambda v: (v > 0).to(v.dtype)))


def _leaky_relu(input: Interval, negative_slope: float = 0.01, inplace: bool = False) -> Interval:
    if not 0 <= negative_slope <= 1:
        raise NoRuleError(f"negative_slope of leaky_relu must lie in [0, 1], got {negative_slope}")
    return _monotone(
        input,
        lambda v: F.leaky_relu(v, negative_slope),
        _rising(lambda v: torch.where(v > 0, torch.ones_like(v), negative_slope)),
    )


def _elu(input: Interval, alpha: float = 1.0, inplace: bool = False) -> Interval:
    if not 0 <= alpha <= 1:
        raise NoRuleError(f"alpha of elu must lie in [0, 1], got {alpha}")
    return _monotone(
        input,
        lambda v: F.elu(v, alpha),
        _rising(lambda v: torch.where(v > 0, 1.0, alpha * v.clamp(max=0).exp())),
    )


def _softplus(input: Interval, beta: float = 1.0, threshold: float = 20.0) -> Interval:
    return _monotone(
        input,
        lambda v: F.softplus(v, beta, threshold),
        _rising(lambda v: torch.sigmoid(beta * v)),
    )


def _tanh(input: Interval) -> Interval:
    return _monotone(input, torch.tanh, _peaked(lambda v: 1 - torch.tanh(v).square()))


def _sigmoid(input: Interval) -> Interval:
    return _monotone(input, torch.sigmoid, _peaked(lambda v: torch.sigmoid(v) * torch.sigmoid(-v)))


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return int(first), int(second)


def _max_pool2d(
    input: Interval,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Interval:
    if ceil_mode or return_indices or input.ndim != 4:
        raise NoRuleError(
            "max_pool2d must have images (B, C, H, W), ceil_mode=False and return_indices=False, "
            f"got shape {tuple(input.shape)}, {ceil_mode=} and {return_indices=}"
        )
    kernel, steps, gaps = _pair(kernel_size), _pair(stride or kernel_size), _pair(dilation)
    rows, columns = _pair(padding)
    frame = (columns, columns, rows, rows)

    def pooled(v: Tensor) -> Tensor:
        return F.max_pool2d(v, kernel, steps, (rows, columns), gaps)

    def windows(v: Tensor) -> Tensor:
        framed = F.pad(v.detach(), frame, value=float("-inf"))
        columns_of = F.unfold(framed, kernel, gaps, 0, steps)
        return columns_of.reshape(*v.shape[:2], -1, columns_of.shape[-1])

    def pullback(gradient: Interval) -> tuple[Interval, ...]:
        least, most = windows(input.lower), windows(input.upper)  # (B, C, k·k, L)
        largest = most.argmax(dim=2, keepdim=True)
        rest = most.scatter(2, largest, float("-inf")).amax(dim=2, keepdim=True)
        others = most.amax(dim=2, keepdim=True).expand_as(most).scatter(2, largest, rest)
        surely = (least > others).to(most.dtype)  # the maximum for every input of the interval
        maybe = (most >= least.amax(dim=2, keepdim=True)).to(most.dtype)
        at_windows = Interval(
            gradient.lower.flatten(2).unsqueeze(2), gradient.upper.flatten(2).unsqueeze(2)
        )
        parts = _scaled(at_windows, surely, maybe)
        height, width = input.shape[2:]

        def gathered(v: Tensor) -> Tensor:
            size = (height + 2 * rows, width + 2 * columns)
            image: Tensor = F.fold(v.flatten(1, 2), size, kernel, gaps, 0, steps)
            return image.narrow(2, rows, height).narrow(3, columns, width)

        return (Interval(gathered(parts.lower), gathered(parts.upper)),)

    return Interval(pooled(input.lower), pooled(input.upper), (input,), pullback)


def _add(a: Any, b: Any, *, alpha: float = 1) -> Interval:
    if isinstance(a, Interval) and isinstance(b, Interval):
        if a.shape != b.shape:
            raise NoRuleError(
                f"add must have intervals of equal shapes, got {tuple(a.shape)} and "
                f"{tuple(b.shape)}"
            )
        b = b if alpha == 1 else _mul(b, alpha)
        return Interval(
            a.lower + b.lower, a.upper + b.upper, (a, b), lambda g: (g, g), lambda g: (g, g)
        )
    if isinstance(a, Interval):
        return _elementwise(a, b, lambda v: torch.add(v, b, alpha=alpha), lambda v: v)
    return _elementwise(b, a, lambda v: a + alpha * v, lambda v: abs(alpha) * v)


def _sub(a: Any, b: Any, *, alpha: float = 1) -> Interval:
    if isinstance(b, Interval):
        return _add(a, b, alpha=-alpha)
    return _elementwise(a, b, lambda v: torch.sub(v, b, alpha=alpha), lambda v: v)


def _mul(a: Any, b: Any) -> Interval:
    if isinstance(a, Interval) and isinstance(b, Interval):
        raise NoRuleError("mul must have at most one interval as a factor, got two")
    interval, other = (a, b) if isinstance(a, Interval) else (b, a)
    return _elementwise(interval, other, lambda v: v * other, lambda v: v * abs(other))


def _div(a: Any, b: Any) -> Interval:
    if isinstance(b, Interval):
        raise NoRuleError("div must have a number or a tensor as divisor, got an interval")
    return _elementwise(a, b, lambda v: v / b, lambda v: v / abs(b))


def _elementwise(x: Interval, other: Any, function: Map, of_radius: Map) -> Interval:
    """Apply an affine map to elements and those of a constant, which are broadcast."""
    constant = getattr(other, "shape", torch.Size())
    shape = torch.broadcast_shapes(x.shape, constant)
    rows: Rows = "mixed"
    if shape == x.shape:
        rows = "apart" if len(constant) == len(shape) and constant[:1] != (1,) else "alike"
    return _affine(x, function, lambda v: of_radius(v).expand(shape), rows=rows)


def _neg(input: Interval) -> Interval:
    return Interval(-input.upper, -input.lower, (input,), lambda g: (_neg(g),), lambda g: (-g,))


def _cat(tensors: Sequence[Any], dim: int = 0) -> Interval:
    parts = [part if isinstance(part, Interval) else Interval(part, part) for part in tensors]
    sizes = [part.shape[dim] for part in parts]

    def pullback(gradient: Interval) -> tuple[Interval, ...]:
        both = zip(gradient.lower.split(sizes, dim), gradient.upper.split(sizes, dim), strict=True)
        return tuple(Interval(lower, upper) for lower, upper in both)

    joined = Interval(
        torch.cat([part.lower for part in parts], dim),
        torch.cat([part.upper for part in parts], dim),
        tuple(parts),
        pullback,
    )
    if dim % joined.ndim:  # otherwise it joins rows
        joined.transposed = lambda gradient: gradient.split(sizes, dim)
    return joined


def _pad(
    input: Interval, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Interval:
    return _affine(
        input,
        lambda v: F.pad(v, pad, mode, value),
        lambda v: F.pad(v, pad, mode, None),
        rows="alike" if len(pad) < 2 * input.ndim else "mixed",
    )


def _rows_of_permute(x: Interval, *args: Any, dims: Any = None) -> Rows:
    dims = dims or (args if isinstance(args[0], int) else args[0])
    return "mixed" if dims[0] % x.ndim else "alike"


def _rows_of_transpose(x: Interval, dim0: int, dim1: int) -> Rows:
    return "alike" if dim0 % x.ndim and dim1 % x.ndim else "mixed"


def _rows_of_sum(x: Interval, dim: Any = None, *args: Any, **kwargs: Any) -> Rows:
    dims = (dim,) if isinstance(dim, int) else tuple(dim or ())
    return "alike" if dims and all(each % x.ndim for each in dims) else "mixed"


_RESHAPES = [
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "contiguous"),
    *("float", "double", "clone"),
]

Interval.rules = {
    "linear": _linear,
    "conv1d": _convolution(F.conv1d),
    "conv2d": _convolution(F.conv2d),
    "conv3d": _convolution(F.conv3d),
    "batch_norm": _batch_norm,
    **DROPOUTS,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "softplus": _softplus,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "max_pool2d": _max_pool2d,
    "avg_pool1d": _pools(F.avg_pool1d),
    "avg_pool2d": _pools(F.avg_pool2d),
    "avg_pool3d": _pools(F.avg_pool3d),
    "adaptive_avg_pool1d": _pools(F.adaptive_avg_pool1d),
    "adaptive_avg_pool2d": _pools(F.adaptive_avg_pool2d),
    "adaptive_avg_pool3d": _pools(F.adaptive_avg_pool3d),
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "cat": _cat,
    "pad": _pad,
    **{name: _reshapes(name) for name in _RESHAPES},
    "permute": _moves("permute", _rows_of_permute),
    "transpose": _moves("transpose", _rows_of_transpose),
    "mean": _moves("mean", _rows_of_sum),
    "sum": _moves("sum", _rows_of_sum),
}
