"""Error messages of the command line, which begin with the cause and are short."""

import os
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NoReturn
from zipfile import is_zipfile

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser
from typing_extensions import override

from pear_lightning.cli.arguments import shipped_configurations

_TRACEBACK = "PEAR_LIGHTNING_TRACEBACK"
_LINES = 8
_OBJECTS = (
    "--ckpt_path must be a checkpoint of tensors and plain values, got a file that holds other "
    "objects or is damaged"
)
# lines of jsonargparse that name no cause
_NOISE = re.compile(
    r"Does not validate against|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>|$"
)
_KEY = re.compile(r'(?:Parser key|Group)? ?"([\w.]+)":$')
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)':$")
_MISSING = re.compile(r"arguments are required: \w+\.(data|model)\b")
_UNKNOWN = re.compile(r"Option '(\w+)' is not accepted")


class ConciseParser(LightningArgumentParser):
    """A parser whose errors begin with the cause, without the list of all options."""

    @override
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            super().error(message, ex)
        sys.stderr.write(f"pear-lightning: error: {cause_of(message)}\n")
        if _MISSING.search(message):
            shipped = ", ".join(shipped_configurations())
            sys.stderr.write(f"Give --config with a file or a shipped configuration: {shipped}\n")
        sys.stderr.write(
            "For the options: pear-lightning <subcommand> --help, or --model.help <class>\n"
        )
        sys.exit(2)


_EXPLAINED = (ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def cause_of(message: str) -> str:
    """Return the cause that a message of the parser contains, in few lines.

    Args:
        message: The message.

    Example:
        >>> print(cause_of('''Parser key "data":
        ...   Does not validate against any of the Union subtypes
        ...   Errors:
        ...     - Problem with given class_path 'pear_lightning.datamodules.BreastCancer':
        ...         Option 'targget' is not accepted
        ...     - Expected a <class 'NoneType'>'''))
        --data: Option 'targget' is not accepted by BreastCancer; did you mean 'target'?
    """
    keys: list[str] = []
    class_path = ""
    causes: list[str] = []
    for line in message.splitlines():
        text = line.strip().removeprefix("- ")
        if _NOISE.match(text):
            continue
        if match := _KEY.match(text):
            keys.append(match[1])
        elif match := _CLASS.match(text):
            class_path = match[1]
        elif match := _UNKNOWN.search(text):
            causes.append(_unknown_option(match[1], class_path))
        else:
            causes.append(text)
    where = f"--{'.'.join(keys)}: " if keys else ""
    return where + "\n".join(causes[:_LINES] or [message])


def run_with_short_errors(function: Callable[[], Any]) -> None:
    """Call a function; an exception ends the program with its message instead of a traceback.

    Args:
        function: The function. With the environment variable ``PEAR_LIGHTNING_TRACEBACK``, the
            exception is raised.
    """
    if os.environ.get(_TRACEBACK):
        function()
        return
    try:
        function()
    except (
        ArithmeticError,
        ImportError,
        LookupError,
        MisconfigurationException,
        OSError,
        RuntimeError,
        TypeError,
        UnpicklingError,
        ValueError,
    ) as error:
        cause = root_cause(error)
        text = f"{cause}"
        if isinstance(cause, UnpicklingError):
            text = _OBJECTS
        lines = text.strip().splitlines() or [type(cause).__name__]
        lines += getattr(cause, "__notes__", [])
        sys.stderr.write("\n".join([f"pear-lightning: error: {lines[0]}", *lines[1:_LINES], ""]))
        sys.stderr.write(f"(For the traceback: {_TRACEBACK}=1)\n")
        sys.exit(1)


def check_checkpoint(path: str) -> None:
    """Raise for a file that is no checkpoint, whose content would be read as one.

    Args:
        path: The file; other paths, such as folders and addresses, are not looked at.

    Raises:
        ValueError: If the file is neither a zip archive nor a pickle, the two formats of torch.
    """
    if not Path(path).is_file():
        return
    with Path(path).open("rb") as file:
        if file.read(1) != b"\x80" and not is_zipfile(file):
            raise ValueError(f"--ckpt_path must be a checkpoint of Lightning, got {path!r}")


def root_cause(error: BaseException) -> BaseException:
    """Return the exception that jsonargparse wraps into others.

    Args:
        error: An exception.
    """
    wrapped = ("Does not validate against", "Call to compute_fn", "Problem with given class_path")
    while error.__cause__ is not None and str(error).startswith(wrapped):
        error = error.__cause__
    return error


def _unknown_option(name: str, class_path: str) -> str:
    module, _, class_name = class_path.rpartition(".")
    known: set[str] = set()
    if module:
        for base in getattr(import_module(module), class_name).__mro__[:-1]:
            known |= set(signature(base.__init__).parameters)
    close = get_close_matches(name, known - {"self", "args", "kwargs"}, n=1)
    advice = f"; did you mean {close[0]!r}?" if close else ""
    return f"Option {name!r} is not accepted by {class_name or 'the parser'}{advice}"
