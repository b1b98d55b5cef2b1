"""Reading the records of the PEAR benchmark's runs."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.pear_tradeoff.protocols import PAPER, TRAINED_BY_THE_PAPER, pairs_of
from benchmarks.pear_tradeoff.settings import SETTINGS

Record = dict[str, Any]
Runs = list[Record]
Pair = tuple[str, str]

PRA = "pairwise_rank_agreement"
TITLES = {
    "bank": "Bank Marketing",
    "california": "California Housing",
    "electricity": "Electricity",
}
UNTRAINED = [pair for pair in pairs_of(PAPER) if pair != TRAINED_BY_THE_PAPER]


def agreement(
    record: Record, pairs: Iterable[Pair], metric: str = PRA, scaling: str = "train"
) -> float:
    """Return one agreement metric of a run, averaged over pairs of explainers."""
    index = record["metrics"].index(metric)
    values = [record[f"agreement_{scaling}"][" / ".join(pair)][index] for pair in pairs]
    return float(np.mean(values))


def own_pairs_left_out(record: Record, protocol: Sequence[str]) -> list[Pair]:
    """Return the pairs of a protocol of which the run did not train both members together."""
    trained = set(record["options"]["explainers"]) if record["options"]["weight"] else set()
    return [pair for pair in pairs_of(tuple(protocol)) if not trained.issuperset(pair)]


def group(runs: Runs, data_set: str, setting: str) -> Runs:
    """Return the runs of one setting on one data set, by seed."""
    chosen = [r for r in runs if (r["data_set"], r["setting"]) == (data_set, setting)]
    return sorted(chosen, key=lambda record: record["seed"])


def mean_and_sd(values: Iterable[float], digits: int = 3) -> str:
    """Write mean ± population standard deviation; the mean alone for one value."""
    each = np.array(list(values), dtype=float)
    if not len(each):
        return "–"
    mean = f"{each.mean():.{digits}f}"
    return f"{mean} ± {each.std():.{digits}f}" if len(each) > 1 else mean


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def settings_of(runs: Runs, *groups: str) -> list[str]:
    """Return the names of the settings of some groups that have runs, in the order of the list."""
    present = {record["setting"] for record in runs}
    return [
        name for name, setting in SETTINGS.items() if name in present and setting.group in groups
    ]
