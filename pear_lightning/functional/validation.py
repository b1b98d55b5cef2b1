"""Checks of arguments that several functions share; messages say what was given and expected."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real

import torch
from torch import Tensor


def is_traced(tensor: Tensor) -> bool:
    """Whether the values of a tensor cannot be looked at.

    That is so inside ``torch.compile`` and for the tensors of a ``torch.func`` transform: checks of
    values are skipped there, and branches on them avoided.

    Args:
        tensor: Any tensor.

    Example:
        >>> is_traced(torch.ones(2))
        False
        >>> torch.func.vmap(lambda row: row * is_traced(row))(torch.ones(2, 1)).flatten()
        tensor([1., 1.])
    """
    if torch.compiler.is_compiling():
        return True
    try:
        tensor.data_ptr()
    except RuntimeError:  # a wrapper of a transform has no storage of its own
        return True
    return False


_trusted = ContextVar("_trusted", default=False)


@contextmanager
def trusted_values() -> Iterator[None]:
    """Look at no values inside: the caller has checked what enters, and will check what leaves.

    Each look at a value waits for an accelerator, so a metric that hands its tensors through
    several functions checks them once. Types and shapes are still checked.

    Example:
        >>> with trusted_values():
        ...     check_finite("x", torch.tensor([float("nan")]))
    """
    token = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(token)


def looks_at(tensor: Tensor) -> bool:
    """Whether a check of values applies: they can be looked at, and nobody has vouched for them.

    Args:
        tensor: Any tensor.

    Example:
        >>> looks_at(torch.ones(2))
        True
    """
    return not (is_traced(tensor) or _trusted.get())


def check_tensor(name: str, value: object) -> None:
    """Raise a ``TypeError`` that names the argument unless it is a tensor.

    Example:
        >>> check_tensor("mask", [[0, 1]])
        Traceback (most recent call last):
        ...
        TypeError: mask must be a torch.Tensor, got list; give torch.as_tensor(mask)
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, got {type(value).__name__}; "
            f"give torch.as_tensor({name})"
        )


def check_finite(name: str, tensor: Tensor) -> None:
    """Raise a ``ValueError`` that names the tensor if it holds NaN or infinite values.

    Skipped where values cannot be looked at (see :func:`looks_at`). On an accelerator it waits for
    the device once.

    Args:
        name: what the caller calls the tensor.
        tensor: any shape and dtype.

    Raises:
        TypeError: if it is no tensor.
        ValueError: if a value is NaN or infinite.

    Example:
        >>> check_finite("saliency", torch.tensor([1.0, float("nan")]))
        Traceback (most recent call last):
        ...
        ValueError: saliency must be finite, got 1 NaN and 0 infinite values of 2
    """
    check_tensor(name, tensor)
    if not looks_at(tensor):
        return
    tensor = tensor.detach()
    # a sum is one cheap pass and finite in all ordinary cases; it can also overflow, hence the
    # count
    if not tensor.is_floating_point() or math.isfinite(tensor.sum().item()):
        return
    nan, inf = int(tensor.isnan().sum()), int(tensor.isinf().sum())
    if nan or inf:
        raise ValueError(
            f"{name} must be finite, got {nan} NaN and {inf} infinite values of {tensor.numel()}"
        )


def check_floating(name: str, tensor: Tensor) -> None:
    """Raise a ``TypeError`` unless it is a tensor of a real floating dtype.

    Example:
        >>> check_floating("x", torch.tensor([1, 2]))
        Traceback (most recent call last):
        ...
        TypeError: x must be floating-point, got torch.int64
    """
    check_tensor(name, tensor)
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating-point, got {tensor.dtype}")


def check_by_name(name: str, given: object, names: Sequence[str]) -> None:
    """Raise a ``TypeError`` unless it is a mapping, such as a list in the order of the names.

    Example:
        >>> check_by_name("attributions", [torch.zeros(1)], ["gradient"])
        Traceback (most recent call last):
        ...
        TypeError: attributions must be a mapping with the names ['gradient'], got list; give \
dict(zip(['gradient'], attributions))
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{name} must be a mapping with the names {list(names)}, got {type(given).__name__}; "
            f"give dict(zip({list(names)}, {name}))"
        )


def check_rows(name: str, tensor: Tensor) -> None:
    """Raise unless the tensor is floating and has a last dimension with at least one entry.

    Example:
        >>> check_rows("x", torch.zeros(2, 0))
        Traceback (most recent call last):
        ...
        ValueError: x must have shape (..., n) with n >= 1, got (2, 0)
    """
    check_floating(name, tensor)
    if tensor.ndim < 1 or tensor.shape[-1] < 1:
        raise ValueError(f"{name} must have shape (..., n) with n >= 1, got {tuple(tensor.shape)}")


def check_attributions(name: str, tensor: Tensor) -> None:
    """Raise unless the tensor is a floating, finite batch ``(B, n)`` or ``(B, *S)``.

    Args:
        name: what the caller calls the tensor.
        tensor: the tensor to check; B may be 0, every other dimension is at least 1.

    Raises:
        TypeError: if it is no tensor, or the dtype is not floating.
        ValueError: if there are fewer than two dimensions, no features, or NaN or infinite values.

    Example:
        >>> check_attributions("saliency", torch.zeros(5))
        Traceback (most recent call last):
        ...
        ValueError: saliency must have shape (B, n) or (B, *S) with at least one feature, got (5,)
    """
    check_floating(name, tensor)
    if tensor.ndim < 2 or 0 in tensor.shape[1:]:
        raise ValueError(
            f"{name} must have shape (B, n) or (B, *S) with at least one feature, "
            f"got {tuple(tensor.shape)}"
        )
    check_finite(name, tensor)


def check_same_shape(name_a: str, a: Tensor, name_b: str, b: Tensor) -> None:
    """Raise unless both are tensors of the same shape.

    Example:
        >>> check_same_shape("a", torch.zeros(2, 3), "b", torch.zeros(2, 4))
        Traceback (most recent call last):
        ...
        ValueError: a and b must have the same shape, got (2, 3) and (2, 4)
    """
    check_tensor(name_a, a)
    check_tensor(name_b, b)
    if a.shape != b.shape:
        raise ValueError(
            f"{name_a} and {name_b} must have the same shape, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a ``ValueError`` unless the value is one of the choices.

    Example:
        >>> check_choice("ties", "max", ("average", "dense"))
        Traceback (most recent call last):
        ...
        ValueError: ties must be one of 'average', 'dense', got 'max'
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_number(name: str, value: float, least: float | None = 0) -> None:
    """Raise unless the value is a finite number that is not below a bound.

    Args:
        name: what the caller calls the value.
        value: the value.
        least: the bound, or ``None`` for none.

    Raises:
        TypeError: if it is no real number.
        ValueError: if it is smaller, infinite or NaN.

    Example:
        >>> check_number("eps", float("inf"))
        Traceback (most recent call last):
        ...
        ValueError: eps must be at least 0 and finite, got inf
    """
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value) or (least is not None and value < least):
        bound = "" if least is None else f"at least {least:g} and "
        raise ValueError(f"{name} must be {bound}finite, got {value}")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise unless the value is an integer that is not below a bound.

    Args:
        name: what the caller calls the value.
        value: the value.
        least: the bound.

    Raises:
        TypeError: if it is no integer.
        ValueError: if it is smaller.

    Example:
        >>> check_count("n_steps", 1.5)
        Traceback (most recent call last):
        ...
        TypeError: n_steps must be an integer, got 1.5
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def check_share_or_count(name: str, rows: int | float | None) -> None:
    """Raise unless the value is a share, a float in (0, 1], or a number of rows, an int above 0.

    Args:
        name: Name of the argument.
        rows: The value; ``None`` is valid.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is out of range.

    Example:
        >>> check_share_or_count("rows", 1.5)
        Traceback (most recent call last):
        ...
        ValueError: rows must lie in (0, 1] as a share, got 1.5; give an int for a number of rows
    """
    if isinstance(rows, float):
        if not 0 < rows <= 1:
            raise ValueError(
                f"{name} must lie in (0, 1] as a share, got {rows}; give an int for a number of "
                "rows"
            )
    elif rows is not None:
        check_count(name, rows)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return float64 tensors as they are and every other floating tensor as float32.

    Example:
        >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return tensor if tensor.dtype == torch.float64 else tensor.float()
