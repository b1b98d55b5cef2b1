"""The program ``pear-lightning``."""

import sys
import warnings
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_warn

# Imported so that command lines and configurations can name their classes without the path, which
# works for imported classes only.
import pear_lightning.callbacks
import pear_lightning.datamodules
import pear_lightning.modules  # noqa: F401 (used by being imported)
from pear_lightning import __version__
from pear_lightning.cli.arguments import resolved
from pear_lightning.cli.bare_names import bare_names_in_configurations
from pear_lightning.cli.errors import (
    ConciseParser,
    check_checkpoint,
    root_cause,
    run_with_short_errors,
)
from pear_lightning.cli.filled_from_data import fill_from_data
from pear_lightning.cli.overrides import carry_over, given_to_model, without_effect
from pear_lightning.cli.without_validation import drop_checkpoints, stop_watching_validation
from pear_lightning.reports.reporting_trainer import ReportingTrainer

DESCRIPTION = """Train models whose explanations hold up, test them, and explain their predictions.

Start with a configuration, such as pear-lightning fit --config pear_breast_cancer.yaml, or, for a
table of your own, pear-lightning fit --config pear_csv.yaml --data.data <file> --data.target
<column>. Every value can be overridden."""


class CommandLine(LightningCLI):
    """A ``LightningCLI`` with reports that sets the sizes of the model from the data.

    It also warns if it evaluates a model with random weights.
    """

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the subcommands, which are methods of the trainer, and arguments to skip."""
        given_by_name = {"model", "datamodule"}
        reports = {"explain": set(given_by_name), "rank": set(given_by_name)}
        return {**LightningCLI.subcommands(), **reports}

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse arguments, and keep those of the model, which Lightning takes from checkpoints.

        Args:
            parser: The parser.
            args: The arguments; ``None`` for those of the process.

        Raises:
            ValueError: If the checkpoint is another file.
        """
        super().parse_arguments(parser, args)
        given = sys.argv[1:] if args is None else args
        self._given = given_to_model(given) if isinstance(given, list) else []
        config = self.config.get(str(self.config.get("subcommand")))
        self._model_before = None if config is None else deepcopy(config.get("model"))
        if config is not None and config.get("ckpt_path"):
            check_checkpoint(str(config["ckpt_path"]))

    def before_instantiate_classes(self) -> None:
        """Set the arguments of the model that follow from the command line and the data.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
        """
        config = self.config[str(self.subcommand)]
        checkpoint = config.get("ckpt_path")
        if checkpoint and str(checkpoint).endswith(".ckpt") and not Path(checkpoint).exists():
            raise FileNotFoundError(f"--ckpt_path must be a file, got {str(checkpoint)!r}")
        if checkpoint and self._given:
            carry_over(self._given, self._model_before, config)
            if self.subcommand == "fit" and (names := without_effect(self._given)):
                rank_zero_warn(
                    f"{', '.join(names)} may have no effect on a fit that continues that of a "
                    "checkpoint, which has the state of the optimizer and of the scheduler; leave "
                    "out --ckpt_path to use them"
                )
        drop_checkpoints(config)
        fill_from_data(config, {each.path for each in self._given})

    def instantiate_classes(self) -> None:
        """Build model, data and trainer; errors are those of the classes."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            cause = root_cause(error)
            if cause is error:
                raise
            raise cause from None

    def before_fit(self) -> None:
        """Adapt callbacks to a fit without validation rows."""
        stop_watching_validation(self.trainer, self.datamodule)

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
    name. Sizes of the model that follow from the data can be left out (``in_features``,
    ``out_features``, ``num_classes``, ``task``, and the masker of tables with categories).
    All subcommands except ``fit`` warn without ``--ckpt_path``.

    Args:
        args: Command line arguments; ``None`` takes the arguments of the process.

    Returns:
        The command line interface after the run, with its trainer, model and data module.

    Raises:
        FileNotFoundError: If a configuration does not exist.
    """
    arguments = resolved(sys.argv[1:] if args is None else args)
    if args is None:
        sys.argv[1:] = arguments
    with warnings.catch_warnings(), bare_names_in_configurations():
        _ignore_upstream_warnings()
        return _command_line_of(arguments)(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            trainer_class=ReportingTrainer,
            auto_configure_optimizers=False,  # modules take their optimiser as an argument
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            parser_class=ConciseParser,
            parser_kwargs={
                "prog": "pear-lightning",
                "version": __version__,
                "description": DESCRIPTION,
            },
            args=None if args is None else arguments,
        )


def _command_line_of(arguments: Sequence[str]) -> type[CommandLine]:
    """Return the command line without the parsers of other subcommands, which take a second."""
    every = CommandLine.subcommands()
    given = arguments[0] if arguments else ""
    if given not in every:
        return CommandLine

    class OfOneSubcommand(CommandLine):
        @staticmethod
        def subcommands() -> dict[str, set[str]]:
            return {given: every[given]}

    return OfOneSubcommand


def run() -> None:
    """Entry point of the program ``pear-lightning``."""
    run_with_short_errors(main)


def _ignore_upstream_warnings() -> None:
    """Ignore warnings that users cannot fix."""
    # main() can be called from a program that has its own arguments
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended")
    # lightning 2.6 calls functions that jsonargparse 4.49 deprecated:
    # https://github.com/Lightning-AI/pytorch-lightning/pull/21408
    warnings.filterwarnings("ignore", module="lightning.pytorch.cli", message="(?s).*deprecat")
    # the checkpoint of a fit is used in another run
    warnings.filterwarnings("ignore", message="The dirpath has changed")
    # lightning 2.6 uses a class of torch's pytree that torch 2.13 deprecated
    warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
