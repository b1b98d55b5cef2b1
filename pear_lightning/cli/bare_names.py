"""Classes that a configuration names without their path."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader

from pear_lightning.cli.arguments import class_paths


@contextmanager
def bare_names_in_configurations() -> Iterator[None]:
    """Read ``class_path: MLP`` in configurations as the class of this package with that name.

    The parser knows the names of all imported classes, and refuses a name that two packages have,
    such as ``torchvision.ops.MLP``.
    """
    load = get_loader("yaml")
    classes = class_paths()

    def load_named(text: str) -> Any:
        return named(load(text), classes)

    set_loader("yaml", load_named, exceptions=(yaml.YAMLError,))
    try:
        yield
    finally:
        set_loader("yaml", load, exceptions=(yaml.YAMLError,))


def named(value: Any, classes: dict[str, str]) -> Any:
    """Return a configuration with the full paths of classes.

    Args:
        value: Mappings, lists and plain values.
        classes: Paths by name.

    Example:
        >>> named({"backbone": {"class_path": "MLP"}}, {"MLP": "pear_lightning.nn.MLP"})
        {'backbone': {'class_path': 'pear_lightning.nn.MLP'}}
    """
    if isinstance(value, list):
        return [named(each, classes) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: named(each, classes) for key, each in value.items()}
    path = found.get("class_path")
    if isinstance(path, str) and path in classes:
        found["class_path"] = classes[path]
    return found
