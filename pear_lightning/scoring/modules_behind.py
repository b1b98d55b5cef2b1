"""The modules that a callable uses."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from inspect import isclass, isfunction, ismethod, ismodule
from types import CodeType, FunctionType
from typing import Any
from weakref import ref as weakref

import torch
from torch import Tensor, nn

_DEPTH = 5  # of references that are followed from a callable
_CONTAINERS = (list, tuple, dict, deque)
_LARGEST_CONTAINER = 256  # longer ones hold data


def modules_behind(forward: Any) -> list[nn.Module]:
    """Return the modules that a callable refers to.

    These are the callable itself, the owner of a method, and the modules that a function, a lambda
    or a callable object finds in its closure, its default arguments, its global names, its
    attributes and those of its class, or in lists, dictionaries and weak references there; also
    through other functions. Inside
    ``torch.compile``, which cannot trace the search, only a module or the owner of a method is
    found.

    Args:
        forward: Any callable.

    Returns:
        The modules, outermost ones only, each once; empty for a function of tensors alone.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> modules_behind(lambda x: layer(x).squeeze(1))
        [Linear(in_features=2, out_features=1, bias=True)]
    """
    if isinstance(forward, nn.Module):
        return [forward]
    if torch.compiler.is_compiling():
        owner = getattr(forward, "__self__", None)
        return [owner] if isinstance(owner, nn.Module) else []
    found: dict[int, nn.Module] = {}
    seen: dict[int, Any] = {}  # the objects are kept, so that no number is used twice
    level = [forward]
    for _ in range(_DEPTH):
        following = []
        for each in level:
            if id(each) in seen:
                continue
            seen[id(each)] = each
            if isinstance(each, nn.Module):
                found[id(each)] = each
            else:
                following += _references(each)
        level = following
    inner = {id(part) for each in found.values() for part in each.modules() if part is not each}
    return [each for number, each in found.items() if number not in inner]


def _references(value: Any) -> list[Any]:
    """Return what a callable or a container refers to."""
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if ismethod(value):
        return [value.__self__, value.__func__]
    if isfunction(value):
        return list(_of_function(value))
    if isinstance(value, _CONTAINERS):
        items = value.values() if isinstance(value, dict) else value
        return list(items) if len(value) <= _LARGEST_CONTAINER else []
    if isinstance(value, weakref):
        return [value()]
    if isclass(value):
        held = vars(value).values() if _root(value) not in ("torch", "builtins") else ()
        return [each for each in held if isinstance(each, (nn.Module, weakref, *_CONTAINERS))]
    if ismodule(value) or isinstance(value, Tensor):
        return []
    attributes = getattr(value, "__dict__", {})
    call = type(value).__call__ if callable(value) else None
    return [*attributes.values(), type(value), *([call] if isfunction(call) else [])]


def _of_function(function: FunctionType) -> Iterator[Any]:
    if (wrapped := getattr(function, "__wrapped__", None)) is not None:
        yield wrapped  # functools.wraps also copies the name of its package
    if _root(function) == "torch":
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield function.__globals__[name]


def _root(value: Any) -> str:
    """Return the package of a function or class."""
    return (value.__module__ or "").split(".")[0]


def _names(code: CodeType) -> Iterator[str]:
    """Return the global names of a function, and of functions that are defined in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
