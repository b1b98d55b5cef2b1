"""Names of shipped configurations and of classes of the package in the arguments."""

import re
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path

_PARTS = (
    "modules",
    "datamodules",
    "callbacks",
    "nn",
    "losses",
    "explainers",
    "masking",
    "training",
)
# options whose values are classes
_OF_CLASS = re.compile(
    r"--(model|data|trainer\.callbacks\+?|model\.(\w+\.)*"
    r"(backbone|loss|gate|masker|weight|lr_scheduler|(\w+_)?explainers\.\w+))"
)


def resolved(args: Sequence[str]) -> list[str]:
    """Return arguments with the paths of shipped configurations, and of classes of this package.

    A file of that name comes before a shipped configuration. Classes of this package come before
    classes of the same name of other packages, such as ``torchvision.ops.MLP``.

    Args:
        args: Arguments of the command line.

    Raises:
        FileNotFoundError: If a configuration does not exist.

    Example:
        >>> resolved(["--model", "PEAR", "--model.backbone=MLP"])
        ['--model', 'pear_lightning.modules.PEAR', '--model.backbone=pear_lightning.nn.MLP']
    """
    classes = class_paths()
    result = []
    previous = ""
    for arg in args:
        option, equals, value = arg.rpartition("=")
        option = option if equals else previous
        if option in ("--config", "-c"):
            value = _configuration(value)
        elif _OF_CLASS.fullmatch(option):
            value = classes.get(value, value)
        result.append(f"{option}={value}" if equals else value)
        previous = arg
    return result


def class_paths() -> dict[str, str]:
    """Return the import path of each class of this package that a configuration can name."""
    return {
        name: f"pear_lightning.{part}.{name}"
        for part in reversed(_PARTS)
        for name in import_module(f"pear_lightning.{part}").__all__
    }


def shipped_configurations() -> list[str]:
    """Return the names of the configurations that are part of the package."""
    folder = files("pear_lightning.configs")
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".yaml"))


def _configuration(value: str) -> str:
    shipped = Path(str(files("pear_lightning.configs") / value)) if value else Path()
    if not value.endswith((".yaml", ".yml", ".json")) or Path(value).is_file():
        return value
    if shipped.is_file():
        return str(shipped)
    raise FileNotFoundError(
        f"--config must be a file or a shipped configuration, got {value!r}; the shipped "
        f"configurations are {', '.join(shipped_configurations())}"
    )
