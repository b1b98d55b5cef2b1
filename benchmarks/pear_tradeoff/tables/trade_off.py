"""Accuracy against agreement: the paper's grid, and settings beyond it."""

from benchmarks.pear_tradeoff.choice import FAMILIES, chosen_of
from benchmarks.pear_tradeoff.records import TITLES, group, settings_of
from benchmarks.pear_tradeoff.tables.cells import (
    accuracy,
    aligned,
    both_scalars,
    fvu,
    mean_of,
    price,
    share,
    trained,
    untrained,
)
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown


def chosen_table(runs: Runs) -> str:
    """Write, for each data set and set of explainers, the setting that held-out rows chose."""
    rows = []
    for data_set, title in TITLES.items():
        names = ["plain", *(chosen_of(runs, data_set, family) for family in FAMILIES)]
        for name in names:
            chosen = group(runs, data_set, name) if name else []
            if chosen:
                rows.append(
                    [
                        title,
                        name,
                        len(chosen),
                        accuracy(chosen),
                        price(runs, chosen),
                        share(chosen),
                        *both_scalars(aligned, chosen),
                    ]
                )
    header = ["data", "setting", "seeds", "accuracy, %", "against weight 0", "common share"]
    return markdown([*header, "B by the logit", "B by the centred logit"], rows)


def trade_off_table(runs: Runs, data_set: str) -> str:
    """Write accuracy, agreement and linearity of the paper's grid and of the references."""
    rows = []
    for name in settings_of(runs, "reference", "paper", "centred"):
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        row = [name, str(len(chosen)), accuracy(chosen), accuracy(chosen, own=True)]
        if "metrics" in chosen[0]:
            row.append(share(chosen))
            if "fvu" in chosen[0]:
                row += [
                    *both_scalars(trained, chosen),
                    *both_scalars(untrained, chosen),
                    *both_scalars(aligned, chosen),
                    fvu(chosen),
                ]
        rows.append(row + ["–"] * (12 - len(row)))
    if not rows:
        return ""
    header = [TITLES[data_set], "seeds", "accuracy, %", "accuracy, paper's scaling, %"]
    header.append("common share")
    for label in ("A: Grad-IntGrad (trained)", "A: 14 untrained pairs", "B: all 10 pairs"):
        header += [f"{label}, logit", f"{label}, centred"]
    return markdown([*header, "FVU"], rows)


def beyond_table(runs: Runs, data_set: str) -> str:
    """Write the settings beyond the paper beside the same network with weight 0."""
    rows = [
        [
            name,
            len(chosen),
            mean_of(chosen, lambda run: run["val_accuracy"], 2),
            mean_of(chosen, lambda run: run["val_agreement"]),
            accuracy(chosen),
            price(runs, chosen),
            share(chosen),
            *both_scalars(untrained, chosen),
            *both_scalars(aligned, chosen),
        ]
        for name in settings_of(runs, "beyond", "logit", "slopes")
        if (chosen := group(runs, data_set, name))
    ]
    if not rows:
        return ""
    header = [TITLES[data_set], "seeds", "held-out accuracy, %", "held-out B, centred"]
    header += ["accuracy, %", "against weight 0", "common share"]
    header += ["A: 14 untrained pairs, logit", "A: 14 untrained pairs, centred"]
    return markdown([*header, "B, logit", "B, centred"], rows)


def levers_table(runs: Runs) -> str:
    """Write one setting over the share of rows and of steps that are regularised."""
    rows = []
    other = {"gradients λ=0.35": "0.25 rows, every 1", "cheap λ=0.35": "0.125 rows, every 4"}
    names = [*settings_of(runs, "levers"), *other]
    for data_set, title in TITLES.items():
        found = [(name, group(runs, data_set, name)) for name in ("plain", *names)]
        if not any(chosen for name, chosen in found if name not in ("plain", *other)):
            continue
        for name, chosen in found:
            if chosen:
                label = other.get(name, name)
                rows.append(
                    [
                        title,
                        label,
                        len(chosen),
                        accuracy(chosen),
                        price(runs, chosen),
                        aligned(chosen),
                        mean_of(chosen, lambda run: run["ms_per_step"], 1),
                    ]
                )
    header = ["data", "rows and steps", "seeds", "accuracy, %", "against weight 0"]
    return markdown([*header, "B, centred", "CPU ms per step"], rows)


def near_trees_table(runs: Runs) -> str:
    """Write the networks that are to come close to XGBoost."""
    rows = []
    for data_set, title in TITLES.items():
        for name in ["xgboost", *settings_of(runs, "trees")]:
            chosen = group(runs, data_set, name)
            if not chosen or (name == "xgboost" and not group(runs, data_set, "xgboost, held out")):
                continue
            row = [title, name, str(len(chosen)), accuracy(chosen), price(runs, chosen)]
            if "metrics" in chosen[0]:
                row += [share(chosen), *both_scalars(aligned, chosen)]
            rows.append(row + ["–"] * (8 - len(row)))
    header = ["data", "setting", "seeds", "accuracy, %", "against weight 0", "common share"]
    return markdown([*header, "B, logit", "B, centred"], rows)
