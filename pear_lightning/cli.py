"""The command line: ``pear-lightning fit --config pear_breast_cancer.yaml``."""

import sys
import warnings
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities import rank_zero_warn

# Imported so that command lines and configurations may name their classes without the path: a name
# alone stands for a class that has been imported.
import pear_lightning.callbacks
import pear_lightning.datamodules
import pear_lightning.modules  # noqa: F401 (used by being imported)
from pear_lightning import __version__


class CommandLine(LightningCLI):
    """A ``LightningCLI`` that says so where the weights it is to use are random."""

    def before_validate(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_test(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_predict(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def _look_for_weights(self) -> None:
        if not self.config[str(self.subcommand)].get("ckpt_path"):
            rank_zero_warn(
                f"{self.subcommand} without --ckpt_path: the model has the weights that it was "
                "made with, random ones unless its backbone loads others. Give the checkpoint of "
                "a fit, such as lightning_logs/version_0/checkpoints/<name>.ckpt"
            )


def main(args: Sequence[str] | None = None) -> LightningCLI:
    """Run a subcommand of the trainer: fit, validate, test or predict.

    Any LightningModule, LightningDataModule and Callback can be named by class path, and those of
    this package by their name alone. The name of a configuration that ships with the package may
    stand for its path. ``validate``, ``test`` and ``predict`` warn without ``--ckpt_path``.

    Args:
        args: Command line arguments; ``None`` for those of the process.

    Returns:
        The command line interface after the run, with its trainer, model and data module.
    """
    if args is None:
        sys.argv[1:] = _with_shipped_configs(sys.argv[1:])
    with warnings.catch_warnings():
        _ignore_upstream_warnings()
        return CommandLine(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,  # modules take their optimiser as an argument
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"prog": "pear-lightning", "version": __version__},
            args=None if args is None else _with_shipped_configs(args),
        )


def run() -> None:
    """Run the command line as a program."""
    main()


def _with_shipped_configs(args: Sequence[str]) -> list[str]:
    """Replace names of shipped configurations by their paths, where there is no such file."""
    resolved = []
    for previous, arg in zip(["", *args], args, strict=False):
        option, _, value = arg.rpartition("=")
        if option == "--config" or previous in ("--config", "-c"):
            shipped = Path(str(files("pear_lightning.configs") / value))
            if not Path(value).exists() and shipped.is_file():
                arg = arg.replace(value, str(shipped))
        resolved.append(arg)
    return resolved


def _ignore_upstream_warnings() -> None:
    """Keep what the user cannot mend off the screen."""
    # main() may be called from a program that has arguments of its own
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended")
    # lightning 2.6 calls functions that jsonargparse 4.49 deprecated:
    # https://github.com/Lightning-AI/pytorch-lightning/pull/21408
    warnings.filterwarnings("ignore", module="lightning.pytorch.cli", message="(?s).*deprecat")
    # lightning 2.6 asks torch's pytree for a class that torch 2.13 deprecated
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
