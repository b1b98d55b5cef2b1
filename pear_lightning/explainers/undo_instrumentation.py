"""A model that others write to and that comes back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

# Parameters, buffers, children and all kinds of hooks: changed in place by register_...().
_REGISTRIES = [name for name, value in vars(nn.Module()).items() if isinstance(value, dict)]


@contextmanager
def undo_instrumentation(module: nn.Module | None) -> Iterator[None]:
    """Undo what code that instruments a model leaves on it, whether or not it raises.

    Hooks and attributes that were added are removed, those that were removed come back, and
    parameters point to their own storage again.

    Args:
        module: The model; ``None`` does nothing.
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
