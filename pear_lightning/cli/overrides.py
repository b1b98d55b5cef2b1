"""Arguments of the model that are given next to a checkpoint, which has values of its own."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

_OF_A_FIT = ("optimizer", "lr_scheduler")


class Given(NamedTuple):
    """An option of the model on the command line.

    Attributes:
        path: Names of the argument and of those that contain it, outermost first; empty for the
            class of the model.
        names_class: Whether the value can be the name of a class, and is no mapping or list.
    """

    path: tuple[str, ...]
    names_class: bool

    @property
    def option(self) -> str:
        """The option as it is written."""
        return ".".join(("--model", *self.path))


def given_to_model(args: Sequence[str]) -> list[Given]:
    """Return the options of the model among the arguments of a command line.

    Args:
        args: The arguments.

    Example:
        >>> found = given_to_model(["--model.weight=2", "--model.loss", "R4Loss", "--rows=3"])
        >>> [each.option for each in found]
        ['--model.weight', '--model.loss']
    """
    found = []
    for position, arg in enumerate(args):
        option, equals, value = arg.partition("=")
        first, *path = option.removesuffix("+").split(".")
        if first != "--model":
            continue
        if not equals:
            value = args[position + 1] if position + 1 < len(args) else ""
        names = [name for name in path if name not in ("init_args", "dict_kwargs", "class_path")]
        found.append(Given(tuple(names), not value.lstrip().startswith(("{", "["))))
    return found


def carry_over(given: Sequence[Given], before: Any, config: Any) -> None:
    """Give the model the values that the command line named, instead of those of a checkpoint.

    Args:
        given: Options of the model on the command line.
        before: The model in the configuration before the values of the checkpoint were taken.
        config: The configuration of a subcommand, whose model is changed.
    """
    for each in given:
        config["model"] = _carried(config["model"], before, each.path, each.names_class)


def without_effect(given: Sequence[Given]) -> list[str]:
    """Return options that a resumed fit cannot follow, because a checkpoint has their state.

    Args:
        given: Options of the model on the command line.
    """
    return [each.option for each in given if each.path and each.path[0] in _OF_A_FIT]


def _carried(now: Any, before: Any, path: tuple[str, ...], names_class: bool) -> Any:
    """Return ``now`` with the value of ``before`` at a path, or ``before`` where they differ."""
    kind = _class_of(before)
    if kind is None or kind != _class_of(now):
        return before
    if not path:
        return now if names_class else before
    name, *rest = path
    source, target = _holder(before, name), _holder(now, name)
    if source is None or target is None:
        return before
    target[name] = _carried(target[name], source[name], tuple(rest), names_class)
    return now


def _class_of(node: Any) -> Any:
    """Return the class or function that a node names; a class can have several import paths."""
    path = node.get("class_path") if hasattr(node, "get") else None
    if not path:
        return None
    module, _, name = str(path).rpartition(".")
    return getattr(import_module(module), name)


def _holder(node: Any, name: str) -> Any:
    """Return the arguments of a class that have a name, ``None`` if none have."""
    for part in ("init_args", "dict_kwargs"):
        held = node.get(part)
        if held is not None and name in held:
            return held
    return None
