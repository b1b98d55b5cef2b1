"""The command line: ``pear-lightning fit --config pear_breast_cancer.yaml``."""

import sys
import warnings
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities import rank_zero_warn

# Imported so that command lines and configurations can name their classes without the path, which
# works for imported classes only.
import pear_lightning.callbacks
import pear_lightning.datamodules
import pear_lightning.modules  # noqa: F401 (used by being imported)
from pear_lightning import __version__
from pear_lightning.reports.reporting_trainer import ReportingTrainer


class CommandLine(LightningCLI):
    """A ``LightningCLI`` with reports that warns if it evaluates a model with random weights."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the subcommands, which are methods of the trainer, and arguments to skip."""
        given_by_name = {"model", "datamodule"}
        reports = {"explain": set(given_by_name), "rank": set(given_by_name)}
        return {**LightningCLI.subcommands(), **reports}

    def before_validate(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_test(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_predict(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_explain(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def before_rank(self) -> None:
        """Warn of random weights."""
        self._look_for_weights()

    def _look_for_weights(self) -> None:
        has_weights = next(self.model.parameters(), None) is not None
        if has_weights and not self.config[str(self.subcommand)].get("ckpt_path"):
            rank_zero_warn(
                f"{self.subcommand} without --ckpt_path: the model has its initial weights, which "
                "are random unless its backbone loads others. Give the checkpoint of a fit, such "
                "as lightning_logs/version_0/checkpoints/<name>.ckpt"
            )


def main(args: Sequence[str] | None = None) -> LightningCLI:
    """Run a subcommand of the trainer: fit, validate, test, predict, explain or rank.

    Any LightningModule, LightningDataModule and Callback can be given by class path; those of this
    package can be given by name alone. Configurations shipped with the package can be given by file
    name. All subcommands except ``fit`` warn without ``--ckpt_path``.

    Args:
        args: Command line arguments; ``None`` takes the arguments of the process.

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
            trainer_class=ReportingTrainer,
            auto_configure_optimizers=False,  # modules take their optimiser as an argument
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"prog": "pear-lightning", "version": __version__},
            args=None if args is None else _with_shipped_configs(args),
        )


def run() -> None:
    """Entry point of the program ``pear-lightning``."""
    main()


def _with_shipped_configs(args: Sequence[str]) -> list[str]:
    """Replace names of shipped configurations by their paths, unless a file has that name."""
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
    """Ignore warnings that users cannot fix."""
    # main() can be called from a program that has its own arguments
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended")
    # lightning 2.6 calls functions that jsonargparse 4.49 deprecated:
    # https://github.com/Lightning-AI/pytorch-lightning/pull/21408
    warnings.filterwarnings("ignore", module="lightning.pytorch.cli", message="(?s).*deprecat")
    # lightning 2.6 uses a class of torch's pytree that torch 2.13 deprecated
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
