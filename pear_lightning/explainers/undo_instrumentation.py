"""Restores a model after other code has instrumented it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

# Parameters, buffers, children and all kinds of hooks: register_...() changes these in place.
_REGISTRIES = [name for name, value in vars(nn.Module()).items() if isinstance(value, dict)]


@contextmanager
def undo_instrumentation(module: nn.Module | None) -> Iterator[None]:
    """Restore a model that the enclosed code instruments, also if that code raises.

    Added hooks and attributes are removed, removed ones are restored, and parameters point to their
    original storage again.

    Args:
        module: The model; nothing is done for ``None``.
    """
    modules = [] if module is None else list(module.modules())
    parameters = [] if module is None else list(module.parameters())
    attributes = [dict(vars(each)) for each in modules]
    registries = [{name: dict(vars(each)[name]) for name in _REGISTRIES} for each in modules]
    found = [(parameter.data, parameter.requires_grad) for parameter in parameters]
    try:
        yield
    finally:
        for each, its_attributes, its_registries in zip(
            modules, attributes, registries, strict=True
        ):
            vars(each).clear()
            vars(each).update(its_attributes)
            for name, entries in its_registries.items():
                vars(each)[name].clear()
                vars(each)[name].update(entries)
        for parameter, (data, requires_grad) in zip(parameters, found, strict=True):
            parameter.requires_grad_(requires_grad)
            if parameter.data_ptr() != data.data_ptr():
                parameter.data = data
