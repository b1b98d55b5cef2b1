"""The command line: ``pear-lightning fit --config pear_breast_cancer.yaml``."""

from pear_lightning.cli.command_line import CommandLine, main, run

__all__ = ["CommandLine", "main", "run"]
