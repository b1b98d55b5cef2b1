"""Reading the records of the PEAR benchmark's runs."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from benchmarks.pear_tradeoff.protocols import PAPER, TRAINED_BY_THE_PAPER, pairs_of
from benchmarks.pear_tradeoff.settings import SETTINGS
from benchmarks.shared.finished_runs import Run, Runs, runs_with

Pair = tuple[str, str]

KEYS = ("data_set", "setting", "seed")
"""Entries of a record that name its run."""

PRA = "pairwise_rank_agreement"
TITLES = {
    "bank": "Bank Marketing",
    "california": "California Housing",
    "electricity": "Electricity",
}

UNTRAINED = [pair for pair in pairs_of(PAPER) if pair != TRAINED_BY_THE_PAPER]


def agreement(run: Run, pairs: Iterable[Pair], metric: str = PRA, scaling: str = "train") -> float:
    """Return one agreement metric of a run, averaged over pairs of explainers."""
    index = run["metrics"].index(metric)
    values = [run[f"agreement_{scaling}"][" / ".join(pair)][index] for pair in pairs]
    return float(np.mean(values))


def own_pairs_left_out(run: Run, protocol: Sequence[str]) -> list[Pair]:
    """Return the pairs of a protocol of which the run did not train both members together."""
    trained = set(run["options"]["explainers"]) if run["options"]["weight"] else set()
    return [pair for pair in pairs_of(tuple(protocol)) if not trained.issuperset(pair)]


def group(runs: Runs, data_set: str, setting: str) -> Runs:
    """Return the runs of one setting on one data set, by seed."""
    return runs_with(runs, data_set=data_set, setting=setting)


def groups(runs: Runs, settings: Sequence[str]) -> Iterator[tuple[str, str, Runs]]:
    """Yield, for each data set in turn, the runs of each setting that has some.

    Args:
        runs: Records of the finished runs.
        settings: Names of settings.

    Yields:
        Title of the data set, name of the setting, and the runs.
    """
    for data_set, title in TITLES.items():
        for name in settings:
            if chosen := group(runs, data_set, name):
                yield title, name, chosen


def settings_of(runs: Runs, *groups: str) -> list[str]:
    """Return the names of the settings of some groups that have runs, in the order of the list."""
    present = {run["setting"] for run in runs}
    return [
        name for name, setting in SETTINGS.items() if name in present and setting.group in groups
    ]
