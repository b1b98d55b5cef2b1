"""Reading the records of the PEAR benchmark's runs."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from benchmarks.pear_tradeoff.protocols import ALIGNED, PAPER, TRAINED_BY_THE_PAPER, pairs_of
from benchmarks.pear_tradeoff.settings import PAPER_DATA_SETS, SETTINGS
from benchmarks.shared.finished_runs import Run, Runs, runs_with

Pair = tuple[str, str]

KEYS = ("data_set", "setting", "seed")
"""Entries of a record that name its run."""

PRA = "pairwise_rank_agreement"
TITLES = {
    "bank": "Bank Marketing",
    "california": "California Housing",
    "electricity": "Electricity",
    "adult": "Adult",
}

PAPER_TITLES = {name: TITLES[name] for name in PAPER_DATA_SETS}

LOGIT, CENTRED = "logit", "centered_logit"
UNTRAINED = [pair for pair in pairs_of(PAPER) if pair != TRAINED_BY_THE_PAPER]


def agreement(
    run: Run, pairs: Iterable[Pair], metric: str = PRA, output: str = CENTRED, *, own: bool = False
) -> float:
    """Return one agreement metric of a run, averaged over pairs of explainers.

    Args:
        run: Record of the run.
        pairs: Names of the explainers of each pair.
        metric: Name of the metric.
        output: Explained scalar.
        own: Whether the test rows are scaled with their own statistics, as the paper's code does;
            the logit is explained then.
    """
    index = run["metrics"].index(metric)
    matrix = run["agreement_own"] if own else run["agreement"][output]
    return float(np.mean([matrix[" / ".join(pair)][index] for pair in pairs]))


def aligned_agreement(run: Run, output: str = CENTRED) -> float:
    """Return the pairwise rank agreement of all pairs of aligned explainers."""
    return agreement(run, pairs_of(ALIGNED), output=output)


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


def against_baseline(runs: Runs, chosen: Runs, value: str = "accuracy") -> list[float]:
    """Return, seed by seed, the difference to the same network with weight 0.

    Args:
        runs: All records.
        chosen: Runs of one setting on one data set.
        value: Entry of the records.
    """
    name = chosen[0]["setting"]
    if not SETTINGS[name].weight:
        return []
    plain = {r["seed"]: r for r in group(runs, chosen[0]["data_set"], SETTINGS[name].baseline)}
    return [r[value] - plain[r["seed"]][value] for r in chosen if r["seed"] in plain]
