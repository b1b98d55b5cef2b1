"""Values that go through a network in the place of tensors, with arithmetic of their own."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

Rule = Callable[..., Any]


class NoRuleError(NotImplementedError):
    """A network does something that a stand-in has no arithmetic for."""


class StandIn:
    """Runs the code of a network, function by function, on something richer than a tensor.

    An interval, or a value that is split into two parts, is handed to a network as if it were its
    input. torch asks the class what its functions do (``__torch_function__``), so that networks of
    any form work, with residual connections and calls of ``torch.nn.functional``, as long as there
    is a rule for each function that they call. What has none raises :class:`NoRuleError`; nothing
    is passed over in silence. What changes a value in place (``nn.ReLU(inplace=True)``) returns a
    new one here, and the old one cannot be used any more.

    Attributes:
        rules: What functions and methods do, by name (``"linear"``, ``"flatten"``).
        kind: What to call it in messages.
    """

    rules: ClassVar[Mapping[str, Rule]] = {}
    kind: ClassVar[str] = "stand-ins"

    def __init__(self, like: Tensor) -> None:
        self._like = like.detach()
        self._changed_by: str | None = None

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return cls._apply(func.__name__, *args, **(kwargs or {}))

    @classmethod
    def _rule(cls, name: str) -> Rule:
        name = name.strip("_")  # relu_ and __add__ too
        if name not in cls.rules:
            raise NoRuleError(
                f"{name} has no rule for {cls.kind}; there are rules for {', '.join(cls.rules)}"
            )
        return cls.rules[name]

    @classmethod
    def _apply(cls, name: str, /, *args: Any, **kwargs: Any) -> Any:
        rule = cls._rule(name)
        for value in args:
            for each in value if isinstance(value, list | tuple) else (value,):
                if isinstance(each, StandIn) and each._changed_by:
                    raise NoRuleError(
                        f"{name} uses a value that {each._changed_by} has changed in place, which "
                        f"{cls.kind} do not follow: use what {each._changed_by} returns"
                    )
        try:
            result = rule(*args, **kwargs)
        except TypeError as error:
            raise NoRuleError(f"{name}, called in this way, has no rule: {error}") from error
        if kwargs.get("inplace") or (name.endswith("_") and not name.endswith("__")):
            changed = args[0] if args else kwargs["input"]
            if not isinstance(changed, StandIn):
                raise NoRuleError(f"{name} would write {cls.kind} into a tensor")
            if changed is not result:
                changed._changed_by = name
        return result

    def __getattr__(self, name: str) -> Any:
        # only what a tensor has can be missing here
        if name.startswith("__") or not hasattr(Tensor, name):
            raise AttributeError(name)
        self._rule(name)  # properties, such as .T, are not called
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

    __hash__ = object.__hash__  # the operator == is one of those below

    def __len__(self) -> int:
        return len(self._like)

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor that it stands for."""
        return self._like.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._like.ndim

    @property
    def dtype(self) -> torch.dtype:
        """Type of the values."""
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
            dim: Dimension, or ``None`` for all.

        Returns:
            Shape or size.
        """
        return self._like.shape if dim is None else self._like.shape[dim]


def _operator(name: str) -> Rule:
    def operator(self: StandIn, *args: Any) -> Any:
        return self._apply(name, self, *args)

    return operator


# Python looks them up in the class, and says no more than TypeError where it does not find them; it
# has answers of its own to == and to the truth of a value
for _name in (
    *("add", "sub", "mul", "neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"),
    *("pow", "rpow", "mod", "rmod", "matmul", "rmatmul", "floordiv", "rfloordiv"),
    *("divmod", "rdivmod", "and", "rand", "or", "ror", "xor", "rxor", "lshift", "rlshift"),
    *("rshift", "rrshift", "round", "getitem", "setitem", "delitem", "contains", "array"),
):
    setattr(StandIn, f"__{_name}__", _operator(_name))
for _name in ("bool", "int", "float", "complex", "index"):
    setattr(StandIn, f"__{_name}__", _operator(f"{_name}()"))  # not the method: there are no rules


def refuse_training(name: str, training: bool) -> None:
    """Raise if a layer runs in training mode, where it is not the function of inference.

    Args:
        name: The function.
        training: Its flag.

    Raises:
        NoRuleError: If it is set.
    """
    if training:
        raise NoRuleError(
            f"{name} has a rule for inference only, and ran in training mode: it must follow the "
            "module's eval() and have running statistics"
        )


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
    """Return what batch normalisation multiplies by and adds at inference.

    Args:
        dimensions: Dimensions of its input.
        mean: Running mean, ``(C,)``.
        variance: Running variance, ``(C,)``.
        weight: Learned factor, ``(C,)``.
        bias: Learned offset, ``(C,)``.
        training: Whether it uses the statistics of the batch, which is refused.
        momentum: Not used at inference.
        eps: Added to the variance.

    Returns:
        Scale and shift, ``(1, C, 1, ...)``.

    Raises:
        NoRuleError: If it uses the statistics of the batch.
    """
    refuse_training("batch_norm", training or mean is None or variance is None)
    assert mean is not None
    assert variance is not None
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (1, -1, *(1,) * (dimensions - 2))
    return scale.reshape(shape), shift.reshape(shape)
