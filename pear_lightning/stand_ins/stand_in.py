"""Values that run through a network in place of tensors, with their own arithmetic."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

Rule = Callable[..., Any]


# methods and functions whose result may share the memory of their input
_VIEWS = (
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose"),
    *("contiguous", "float", "double"),
)


class NoRuleError(NotImplementedError):
    """Raised if a network calls something that a stand-in has no arithmetic for."""


class _Memory:
    """The memory that a tensor shares with its views, and what changed it in place."""

    changed_by: str | None = None


class StandIn:
    """Base class of values that run through the code of a network in place of tensors.

    An interval, or a value split into two parts, is passed to a network as its input. torch asks
    the class to evaluate its functions (``__torch_function__``), so networks of any form work,
    including residual connections and calls of ``torch.nn.functional``, provided that every called
    function has a rule. A function without a rule raises :class:`NoRuleError` and is never skipped
    silently. A function or operator that changes a value in place (``nn.ReLU(inplace=True)``,
    ``x += y``) returns a new value here. The old one cannot be used any more, nor can values of
    which it is a view, or that are views of it (``x.flatten()``).

    Attributes:
        rules: Implementations of functions and methods, by name (``"linear"``, ``"flatten"``).
        kind: Name of the arithmetic in error messages.
    """

    rules: ClassVar[Mapping[str, Rule]] = {}
    kind: ClassVar[str] = "stand-ins"

    def __init__(self, like: Tensor) -> None:
        self._like = like.detach()
        self._memory = _Memory()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls._apply(func.__name__, *args, **(kwargs or {}))

    @classmethod
    def _rule(cls, name: str) -> Rule:
        name = name.strip("_")  # relu_ and __add__ use the rules of relu and add
        if name not in cls.rules:
            raise NoRuleError(
                f"{name} must have a rule for {cls.kind}, got none; rules exist for "
                f"{', '.join(cls.rules)}"
            )
        return cls.rules[name]

    @classmethod
    def _apply(cls, name: str, /, *args: Any, **kwargs: Any) -> Any:
        rule = cls._rule(name)
        for value in (*args, *kwargs.values()):
            for each in value if isinstance(value, list | tuple) else (value,):
                if isinstance(each, StandIn) and (by := each._memory.changed_by):
                    raise NoRuleError(
                        f"{name} must have arguments that were not changed in place, got a value "
                        f"that {by} changed, or a view of it, which {cls.kind} do not track; use "
                        f"the return value of {by}"
                    )
        try:
            result = rule(*args, **kwargs)
        except TypeError as error:
            raise NoRuleError(
                f"{name} must be called as its rule for {cls.kind} allows, got {error}"
            ) from error
        changed = args[0] if args else kwargs.get("input")
        if kwargs.get("inplace") or (name.endswith("_") and not name.endswith("__")):
            if not isinstance(changed, StandIn):
                raise NoRuleError(
                    f"{name} must be called on {cls.kind} to change them in place, got a tensor"
                )
            if changed is not result:
                changed._memory.changed_by = name
        elif name in _VIEWS and isinstance(changed, StandIn):
            result._memory = changed._memory
        return result

    def __getattr__(self, name: str) -> Any:
        # attributes that a tensor does not have are missing here as well
        if name.startswith("__") or not hasattr(Tensor, name):
            raise AttributeError(name)
        self._rule(name)  # raises here, because properties such as .T are not called
        return partial(self._apply, name, self)

    def __radd__(self, other: Any) -> Any:
        return self._apply("add", other, self)

    def __rsub__(self, other: Any) -> Any:
        return self._apply("sub", other, self)

    def __rmul__(self, other: Any) -> Any:
        return self._apply("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._apply("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._apply("div", other, self)

    __hash__ = object.__hash__  # restored, because the operator == is defined below

    def __len__(self) -> int:
        return len(self._like)

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor that the value stands for."""
        return self._like.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._like.ndim

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the values."""
        return self._like.dtype

    @property
    def device(self) -> torch.device:
        """Device of the values."""
        return self._like.device

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self._like.ndim

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of a dimension.

        Args:
            dim: Dimension, or ``None`` for the shape.
        """
        return self._like.shape if dim is None else self._like.shape[dim]


def _operator(name: str) -> Rule:
    def operator(self: StandIn, *args: Any) -> Any:
        return self._apply(name, self, *args)

    return operator


# Python looks up operators in the class, raises a bare TypeError if they are missing, and has
# defaults for == and for the truth value
for _name in (
    *("add", "sub", "mul", "neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"),
    *("pow", "rpow", "mod", "rmod", "matmul", "rmatmul", "floordiv", "rfloordiv"),
    *("divmod", "rdivmod", "and", "rand", "or", "ror", "xor", "rxor", "lshift", "rlshift"),
    *("rshift", "rrshift", "round", "getitem", "setitem", "delitem", "contains", "array"),
):
    setattr(StandIn, f"__{_name}__", _operator(_name))
# x += y changes x for everything that holds it; without these, Python would compute x = x + y
for _name, _method in (("add", "add_"), ("sub", "sub_"), ("mul", "mul_"), ("truediv", "div_")):
    setattr(StandIn, f"__i{_name}__", _operator(_method))
for _name in ("bool", "int", "float", "complex", "index"):
    setattr(StandIn, f"__{_name}__", _operator(f"{_name}()"))  # float(x), not x.float(): no rule


def refuse_training(name: str, training: bool) -> None:
    """Raise if a layer runs in training mode, in which it differs from inference.

    Args:
        name: Name of the function.
        training: Its training flag.

    Raises:
        NoRuleError: If the flag is set.
    """
    if training:
        raise NoRuleError(
            f"{name} must run in eval mode, got training mode; it must follow the module's eval()"
        )


def _dropout_of(name: str) -> Rule:
    def rule(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        refuse_training(name, training)
        return input

    return rule


DROPOUTS: Mapping[str, Rule] = {
    name: _dropout_of(name)
    for name in (
        *("dropout", "dropout1d", "dropout2d", "dropout3d"),
        *("alpha_dropout", "feature_alpha_dropout"),
    )
}
"""Rules of dropout, which does nothing at inference."""


def batch_norm_scale_and_shift(
    dimensions: int,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift of batch normalisation at inference, ``(1, C, 1, ...)`` each.

    Args:
        dimensions: Number of dimensions of its input.
        mean: Running mean, ``(C,)``.
        variance: Running variance, ``(C,)``.
        weight: Learned factor, ``(C,)``.
        bias: Learned offset, ``(C,)``.
        training: Whether it uses the statistics of the batch, which is refused.
        momentum: Not used at inference.
        eps: Added to the variance.

    Raises:
        NoRuleError: If it uses the statistics of the batch: in training mode, or without running
            statistics.
    """
    refuse_training("batch_norm", training and mean is not None)
    if mean is None or variance is None:
        raise NoRuleError(
            "batch_norm must have running statistics, got none, so that it would use those of the "
            "batch; use track_running_stats=True"
        )
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (1, -1, *(1,) * (dimensions - 2))
    return scale.reshape(shape), shift.reshape(shape)
