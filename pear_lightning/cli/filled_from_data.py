"""Arguments of the model that follow from the data, which a configuration need not repeat."""

from collections.abc import Collection
from importlib import import_module
from inspect import isclass, signature
from typing import Any

from pear_lightning.cli.held_back_warnings import warnings_with_errors_only
from pear_lightning.datamodules import TabularDataModule
from pear_lightning.datamodules.loading_data_module import LoadingDataModule
from pear_lightning.datamodules.split_data_module import SplitDataModule

_SIZES = {
    "task": "task",
    "num_classes": "num_classes",
    "backbone.init_args.in_features": "num_features",
    "backbone.init_args.out_features": "num_classes",
    "backbone.init_args.num_classes": "num_classes",
    "gate.init_args.in_features": "num_features",
}
"""Arguments of the model, and the attributes of the data module that give them."""


def fill_from_data(config: Any, given: Collection[tuple[str, ...]] = ()) -> None:
    """Set arguments of the model that follow from the data, unless they are given.

    These are the sizes and the task, and for tables with categories the masker, for which the
    columns of a category are one feature, and the groups of a gate. An argument counts as given if
    the command line names it, or its value differs from its default. The data are not read if the
    number of classes alone is open and the data module knows their names; with a checkpoint, whose
    configuration has all arguments of the model, they are not read unless a value is missing.

    Args:
        config: The configuration of a subcommand, which is changed.
        given: Arguments of the model that the command line names, each by its name and those of the
            arguments that contain it, outermost first.
    """
    open_arguments = [name for name in _SIZES if _is_open(config, name, given)]
    wants_groups = []
    if _is_table(config) and not config.get("ckpt_path"):
        names = ("masker", "gate", "gate.init_args.groups")
        wants_groups = [name for name in names if _is_open(config, name, given)]
    if not open_arguments and not wants_groups:
        return
    data = _data_of(config)
    if data is None:
        return
    sizes = {name: _SIZES[name] for name in open_arguments if _has(data, _SIZES[name])}
    if wants_groups or not all(_is_known(data, each) for each in sizes.values()):
        with warnings_with_errors_only():  # the data module of the run gives them again
            data.prepare_data()
            data.setup()
    for name, size in sizes.items():
        # data modules without names of classes have 0 of them
        if (value := getattr(data, size)) not in (None, 0):
            config[f"model.init_args.{name}"] = value
    if not getattr(data, "column_groups", None):
        return
    of_groups = {
        "masker": _class("masking.ColumnMasker", n_columns=data.num_features,
                         groups=data.column_groups),
        "gate": _class("nn.ScoresActivation", in_features=data.num_features, groups=data.groups),
        "gate.init_args.groups": data.groups,
    }  # fmt: skip
    for name in wants_groups:
        config[f"model.init_args.{name}"] = of_groups[name]


def _is_open(config: Any, name: str, given_names: Collection[tuple[str, ...]]) -> bool:
    """Whether the model has an argument that is not given, by its name or by another value."""
    if tuple(name.replace(".init_args.", ".").split(".")) in given_names:
        return False
    target = f"model.init_args.{name}"
    owner, _, leaf = target.rpartition(".init_args.")
    class_path = config.get(f"{owner}.class_path")
    if class_path is None or leaf not in (parameters := _parameters(class_path)):
        return False
    given = config.get(target)
    if given is None or config.get("ckpt_path"):
        return given is None
    return bool(given == parameters[leaf].default)


def _is_table(config: Any) -> bool:
    kind = _object(config.get("data.class_path", "builtins.object"))
    return isclass(kind) and issubclass(kind, TabularDataModule)


def _data_of(config: Any) -> Any:
    """Return the data module of a configuration, without rows; ``None`` for other kinds."""
    class_path = config.get("data.class_path")
    kind = None if class_path is None else _object(class_path)
    if not (isclass(kind) and issubclass(kind, LoadingDataModule)):
        return None
    arguments = config.get("data.init_args")
    with warnings_with_errors_only():
        return kind(**({} if arguments is None else arguments.as_dict()), **_further(config))


def _has(data: Any, size: str) -> bool:
    # hasattr of the data module would read its rows
    return hasattr(type(data), size) or size in vars(data)


def _is_known(data: Any, size: str) -> bool:
    """Whether a data module knows a size before it has read its rows."""
    return size == "num_classes" and isinstance(data, SplitDataModule) and bool(data.class_names)


def _further(config: Any) -> dict[str, Any]:
    return dict(config.get("data.dict_kwargs") or {})


def _class(name: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": f"pear_lightning.{name}", "init_args": arguments}


def _parameters(class_path: str) -> dict[str, Any]:
    return dict(signature(_object(class_path)).parameters)


def _object(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
