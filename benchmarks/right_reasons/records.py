"""Reading the records of the right-reasons benchmark's runs."""

from benchmarks.shared.finished_runs import Runs, runs_with

KEYS = ("experiment", "setting", "seed")
"""Entries of a record that name its run."""


def runs_of(runs: Runs, experiment: str, setting: str) -> Runs:
    """Return the runs of a setting, by seed."""
    return runs_with(runs, experiment=experiment, setting=setting)
