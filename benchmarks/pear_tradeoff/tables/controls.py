"""Junk features, linearity, and the share of the Spearman term."""

import numpy as np

from benchmarks.pear_tradeoff.protocols import PAPER, RANDOM
from benchmarks.pear_tradeoff.records import TITLES, group, groups, settings_of
from benchmarks.pear_tradeoff.tables.cells import accuracy, aligned, fvu, trained, untrained
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown


def junk_table(runs: Runs) -> str:
    """Write how often junk stands among the five most important features."""
    rows = []
    names = (*PAPER, RANDOM)
    for title, name, chosen in groups(runs, settings_of(runs, "junk")):
        values = []
        for each in names:
            shares = np.array([run["junk"][each] for run in chosen]).mean(axis=0) * 100
            values.append(f"{shares[0]:.1f}, {shares[1]:.1f}")
        rows.append([title, name.removeprefix("junk "), len(chosen), accuracy(chosen), *values])
    return markdown(["data", "λ", "seeds", "accuracy, %", *names], rows)


def linearity_table(runs: Runs) -> str:
    """Write agreement and linearity of PEAR beside plain training with weight decay."""
    rows = [
        [
            title,
            f"λ=0, weight {name}" if name.startswith("decay") else name,
            len(chosen),
            accuracy(chosen),
            fvu(chosen),
            trained(chosen),
            untrained(chosen),
            aligned(chosen),
        ]
        for title, name, chosen in groups(runs, settings_of(runs, "paper", "decay"))
    ]
    header = ["data", "setting", "seeds", "accuracy, %", "FVU", "A: Grad-IntGrad"]
    return markdown([*header, "A: 14 untrained", "B: all 10"], rows)


def ablation_table(runs: Runs) -> str:
    """Write the share of the Spearman term against accuracy and agreement, at λ = 0.5."""
    ablated = settings_of(runs, "ablation")
    present = {
        title
        for data_set, title in TITLES.items()
        if any(group(runs, data_set, name) for name in ablated)
    }
    labels = {"paper λ=0": "λ=0", "paper λ=0.5": "μ=0.75"}
    rows = [
        [
            title,
            labels.get(name) or name.removeprefix("ablation "),
            len(chosen),
            accuracy(chosen),
            trained(chosen),
            untrained(chosen),
            aligned(chosen),
            fvu(chosen),
        ]
        for title, name, chosen in groups(runs, ["paper λ=0", *ablated, "paper λ=0.5"])
        if title in present
    ]
    header = ["data", "share of Spearman", "seeds", "accuracy, %", "A: Grad-IntGrad"]
    return markdown([*header, "A: 14 untrained", "B: all 10", "FVU"], rows)
