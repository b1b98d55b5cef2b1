"""Accuracy against agreement: the paper's grid, and settings beyond it."""

import numpy as np

from benchmarks.pear_tradeoff.protocols import ALIGNED, PAPER, pairs_of
from benchmarks.pear_tradeoff.records import (
    TITLES,
    agreement,
    group,
    own_pairs_left_out,
    settings_of,
)
from benchmarks.pear_tradeoff.settings import SETTINGS
from benchmarks.pear_tradeoff.tables.cells import (
    accuracy,
    aligned,
    fvu,
    mean_of,
    trained,
    untrained,
)
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown


def trade_off_table(runs: Runs, data_set: str) -> str:
    """Write accuracy, agreement and linearity of the paper's grid and of the references."""
    rows = []
    for name in settings_of(runs, "reference", "paper"):
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        row = [name, str(len(chosen)), accuracy(chosen), accuracy(chosen, "own")]
        if "metrics" in chosen[0]:
            row += [
                trained(chosen),
                untrained(chosen),
                mean_of(chosen, lambda run: agreement(run, pairs_of(PAPER))),
                aligned(chosen),
                fvu(chosen),
            ]
        rows.append(row + ["–"] * (9 - len(row)))
    header = [
        TITLES[data_set],
        "seeds",
        "accuracy, %",
        "accuracy, paper's scaling, %",
        "A: Grad-IntGrad (trained)",
        "A: 14 untrained pairs",
        "A: all 15 pairs",
        "B: all 10 pairs",
        "FVU",
    ]
    return markdown(header, rows)


def beyond_table(runs: Runs, data_set: str) -> str:
    """Write the settings beyond the paper beside the same network with weight 0."""
    rows = []
    without_smoothgrad = pairs_of(tuple(each for each in ALIGNED if "Smooth" not in each))
    for name in settings_of(runs, "beyond"):
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        rows.append(
            [
                name,
                str(len(chosen)),
                accuracy(chosen),
                _against_weight_0(name, chosen, group(runs, data_set, SETTINGS[name].baseline)),
                mean_of(chosen, lambda run: agreement(run, own_pairs_left_out(run, PAPER))),
                untrained(chosen),
                mean_of(chosen, lambda run: agreement(run, own_pairs_left_out(run, ALIGNED))),
                aligned(chosen),
                mean_of(chosen, lambda run: agreement(run, without_smoothgrad)),
                fvu(chosen),
            ]
        )
    header = [
        TITLES[data_set],
        "seeds",
        "accuracy, %",
        "against weight 0",
        "A: pairs it did not train",
        "A: 14 pairs but Grad-IntGrad",
        "B: pairs it did not train",
        "B: all 10 pairs",
        "B: 6 without SmoothGrad",
        "FVU",
    ]
    return markdown(header, rows)


def _against_weight_0(name: str, chosen: Runs, baseline: Runs) -> str:
    """Write the difference in accuracy from the baseline's runs of the same seeds."""
    seeds = {run["seed"] for run in chosen}
    plain = [run["accuracy_train"] for run in baseline if run["seed"] in seeds]
    if not SETTINGS[name].weight or not plain:
        return "–"
    difference = np.mean([run["accuracy_train"] for run in chosen]) - np.mean(plain)
    return f"{difference:+.2f}"
