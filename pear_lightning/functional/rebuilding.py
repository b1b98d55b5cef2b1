"""Objects that can be rebuilt from plain values, which a checkpoint can hold."""

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor

_PLAIN = (bool, int, float, str, Tensor, type(None))


class Rebuildable:
    """Mixin of classes that keep their constructor arguments in attributes of the same names.

    :func:`recipe_of` describes such an object by its class path and these arguments, and
    :func:`rebuild` makes an equal object from the description. A recipe holds plain values only
    (numbers, strings, tensors, lists, dictionaries, recipes of other objects), so it loads with
    ``torch.load(weights_only=True)``. Weights are not part of it.

    Example:
        >>> class Point(Rebuildable):
        ...     def __init__(self, x: float, y: float = 0.0) -> None:
        ...         self.x, self.y = x, y
        >>> recipe_of(Point(1.0))["init_args"]
        {'x': 1.0, 'y': 0.0}
    """

    def init_args(self) -> dict[str, Any]:
        """Return the constructor arguments by name; subclasses without such attributes override it.

        Raises:
            TypeError: If an argument is not an attribute.
        """
        parameters = inspect.signature(type(self).__init__).parameters
        names = [
            name
            for name, parameter in list(parameters.items())[1:]
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        ]
        missing = [name for name in names if not hasattr(self, name)]
        if missing:
            raise TypeError(
                f"{type(self).__name__} must keep its constructor arguments in attributes of the "
                f"same names to be rebuilt, got no attribute {missing[0]!r}"
            )
        return {name: getattr(self, name) for name in names}


def recipe_of(value: Any) -> Any:
    """Return an object as plain values.

    Args:
        value: A :class:`Rebuildable` object, a plain value, or a container of these.

    Raises:
        TypeError: If a value is neither.
    """
    if isinstance(value, Rebuildable):
        return {
            "class_path": f"{type(value).__module__}.{type(value).__qualname__}",
            "init_args": {name: recipe_of(each) for name, each in value.init_args().items()},
        }
    if isinstance(value, _PLAIN):
        return value.detach().cpu() if isinstance(value, Tensor) else value
    if isinstance(value, list | tuple):
        return [recipe_of(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): recipe_of(each) for name, each in value.items()}
    raise TypeError(
        f"value must be plain or of a class that can be rebuilt, got {type(value).__name__}; pass "
        "the object again when loading"
    )


def rebuild(recipe: Any) -> Any:
    """Return the object of a recipe.

    Args:
        recipe: Return value of :func:`recipe_of`. The modules of its classes must have been
            imported, and only subclasses of :class:`Rebuildable` are built.

    Raises:
        ValueError: If a class is unknown or not rebuildable.
    """
    if isinstance(recipe, list):
        return [rebuild(each) for each in recipe]
    if not isinstance(recipe, Mapping):
        return recipe
    if set(recipe) != {"class_path", "init_args"}:
        return {name: rebuild(each) for name, each in recipe.items()}
    module, _, name = recipe["class_path"].rpartition(".")
    found = getattr(sys.modules.get(module), name, None)
    if not (inspect.isclass(found) and issubclass(found, Rebuildable)):
        raise ValueError(
            "class_path must name a class that can be rebuilt and whose module is imported, got "
            f"{recipe['class_path']!r}; import {module or 'it'} first"
        )
    return found(**{name: rebuild(each) for name, each in recipe["init_args"].items()})
