"""The command line: ``pear-lightning fit --config pear_breast_cancer.yaml``."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI

# Imported so that configurations may name classes without their full path.
import pear_lightning.callbacks
import pear_lightning.datamodules
import pear_lightning.explainers
import pear_lightning.modules
import pear_lightning.nn
from pear_lightning import __version__


def main(args: Sequence[str] | None = None) -> LightningCLI:
    """Run a subcommand of the trainer: fit, validate, test or predict.

    Any LightningModule and LightningDataModule can be named by class path. The name of a
    configuration that ships with the package may stand for its path.

    Args:
        args: Command line arguments; ``None`` for those of the process.

    Returns:
        The command line interface after the run, with its trainer, model and data module.
    """
    # https://github.com/Lightning-AI/pytorch-lightning/pull/21408: lightning 2.6 calls functions
    # that jsonargparse 4.49 deprecated
    warnings.filterwarnings("ignore", module="lightning.pytorch.cli", message="(?s).*deprecat")
    return LightningCLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,  # modules take their optimiser as an argument
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},
        parser_kwargs={"version": __version__},
        args=list(_with_shipped_configs(sys.argv[1:] if args is None else args)),
    )


def run() -> None:
    """Run the command line as a program."""
    main()


def _with_shipped_configs(args: Sequence[str]) -> Iterator[str]:
    """Replace names of shipped configurations by their paths, where there is no such file."""
    for previous, arg in zip(["", *args], args, strict=False):
        option, _, value = arg.rpartition("=")
        if option == "--config" or previous in ("--config", "-c"):
            shipped = Path(str(files("pear_lightning.configs") / value))
            if not Path(value).exists() and shipped.is_file():
                arg = arg.replace(value, str(shipped))
        yield arg
