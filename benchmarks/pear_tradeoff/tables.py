"""Tables of the PEAR benchmark, as Markdown."""

from collections.abc import Callable

import numpy as np

from benchmarks.pear_tradeoff.golden import GOLDEN
from benchmarks.pear_tradeoff.protocols import (
    ALIGNED,
    PAPER,
    RANDOM,
    TRAINED_BY_THE_PAPER,
    pairs_of,
)
from benchmarks.pear_tradeoff.records import (
    PRA,
    TITLES,
    UNTRAINED,
    Record,
    Runs,
    agreement,
    group,
    markdown,
    mean_and_sd,
    own_pairs_left_out,
    settings_of,
)
from benchmarks.pear_tradeoff.settings import SETTINGS

SHORT = ("FA", "RA", "SA", "SRA", "RC", "PRA")


def _column(runs: Runs, value: Callable[[Record], float], digits: int = 3) -> str:
    return mean_and_sd((value(record) for record in runs), digits)


def trade_off_table(runs: Runs, data_set: str) -> str:
    """Write accuracy, agreement and linearity of the paper's grid and of the references."""
    rows = []
    for name in settings_of(runs, "reference", "paper"):
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        accuracies = [
            mean_and_sd((record[f"accuracy_{scaling}"] for record in chosen), 2)
            for scaling in ("train", "own")
        ]
        row = [name, str(len(chosen)), *accuracies]
        if "metrics" in chosen[0]:
            row += [
                _column(chosen, lambda r: agreement(r, [TRAINED_BY_THE_PAPER])),
                _column(chosen, lambda r: agreement(r, UNTRAINED)),
                _column(chosen, lambda r: agreement(r, pairs_of(PAPER))),
                _column(chosen, lambda r: agreement(r, pairs_of(ALIGNED))),
                _column(chosen, lambda r: r["fvu"]),
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


def six_metrics_table(runs: Runs) -> str:
    """Write the six agreement metrics of the trained pair, of LIME-SHAP and of untrained pairs."""
    shown = {
        "A: Grad-IntGrad": [TRAINED_BY_THE_PAPER],
        "A: LIME-SHAP": [("LIME", "SHAP")],
        "A: 14 untrained": UNTRAINED,
        "A: pairs with Random": [(each, RANDOM) for each in PAPER],
        "B: all 10": pairs_of(ALIGNED),
    }
    rows = []
    for data_set, title in TITLES.items():
        for label, pairs in shown.items():
            for name in settings_of(runs, "paper"):
                chosen = group(runs, data_set, name)
                if chosen:
                    values = [
                        f"{np.mean([agreement(r, pairs, metric) for r in chosen]):.3f}"
                        for metric in chosen[0]["metrics"]
                    ]
                    rows.append([title, label, name.removeprefix("paper "), *values])
        example = group(runs, data_set, "paper λ=0")
        if example:
            chance = [f"{example[0]['chance'][m]:.3f}" for m in example[0]["metrics"]]
            rows.append([title, "chance, closed form", "", *chance])
    return markdown(["data", "pairs", "λ", *SHORT], rows)


def golden_table(runs: Runs) -> str:
    """Write this library's numbers beside those of the independent implementation."""
    rows = []
    for (data_set, name), golden in GOLDEN.items():
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        own: dict[str, Callable[[Record], float]] = {
            "accuracy_own": lambda r: r["accuracy_own"],
            "accuracy_train": lambda r: r["accuracy_train"],
            "grad_intgrad": lambda r: agreement(r, [TRAINED_BY_THE_PAPER], scaling="own"),
            "lime_shap": lambda r: agreement(r, [("LIME", "SHAP")], scaling="own"),
            "smoothgrad_lime": lambda r: agreement(r, [("SmoothGrad", "LIME")], scaling="own"),
            "shap_grad": lambda r: agreement(r, [("Grad", "SHAP")], scaling="own"),
            "untrained": lambda r: agreement(r, UNTRAINED, scaling="own"),
            "fvu": lambda r: r["fvu"],
        }
        row = [f"{TITLES[data_set]}, {name}", f"{len(chosen)} / {golden.seeds}"]
        for key, value in own.items():
            digits = 2 if key.startswith("accuracy") else 3
            reference = getattr(golden, key)
            ours = np.mean([value(record) for record in chosen])
            row.append(f"{ours:.{digits}f} / {reference:.{digits}f}")
        rows.append(row)
    header = ["ours / reference", "seeds", "accuracy, paper's scaling", "accuracy", "Grad-IntGrad"]
    header += ["LIME-SHAP", "SmoothGrad-LIME", "SHAP-Grad", "14 untrained", "FVU"]
    return markdown(header, rows)


def seeds_table(runs: Runs) -> str:
    """Write accuracy, trained PRA and consensus loss seed by seed (paper's scaling)."""
    rows = []
    for data_set, title in TITLES.items():
        for name in ("paper λ=0", "paper λ=0.5"):
            chosen = group(runs, data_set, name)
            if chosen:
                accuracy = ", ".join(f"{r['accuracy_own']:.2f}" for r in chosen)
                pra = [agreement(r, [TRAINED_BY_THE_PAPER], scaling="own") for r in chosen]
                consensus = ", ".join(f"{r['consensus_own']:.4f}" for r in chosen)
                rows.append(
                    [f"{title}, {name}", accuracy, ", ".join(f"{v:.3f}" for v in pra), consensus]
                )
    return markdown(["seeds 0, 1, 2", "accuracy, %", "PRA Grad-IntGrad", "C"], rows)


def pair_table(runs: Runs) -> str:
    """Write PRA of every pair at λ = 0 and 0.5 and of the linear model."""
    columns = [
        (data_set, name)
        for data_set in TITLES
        for name in ("paper λ=0", "paper λ=0.5", "linear")
        if group(runs, data_set, name)
    ]
    rows = []
    for label, pairs in [
        *((f"{a} – {b}", [(a, b)]) for a, b in pairs_of(PAPER)),
        ("**A: 14 untrained**", UNTRAINED),
        *((f"{a} – {b}", [(a, b)]) for a, b in pairs_of(ALIGNED)),
        ("**B: all 10**", pairs_of(ALIGNED)),
    ]:
        values = [
            f"{np.mean([agreement(r, pairs) for r in group(runs, *column)]):.3f}"
            for column in columns
        ]
        rows.append([label, *values])
    header = [f"{TITLES[d].split()[0]}, {n.removeprefix('paper ')}" for d, n in columns]
    return markdown(["pair", *header], rows)


def self_agreement_table(runs: Runs) -> str:
    """Write PRA of two draws of each stochastic explainer on the same models."""
    names = ("LIME", "SHAP", "SmoothGrad", "SmoothGrad*(x-b)", RANDOM)
    rows = []
    for data_set, title in TITLES.items():
        for name in settings_of(runs, "paper"):
            chosen = group(runs, data_set, name)
            if not chosen:
                continue
            index = chosen[0]["metrics"].index(PRA)
            repeats = [r["self_agreement_train"] for r in chosen]
            values = [mean_and_sd(repeat[each][index] for repeat in repeats) for each in names]
            with_random = _column(chosen, lambda r: agreement(r, [(e, RANDOM) for e in PAPER]))
            rows.append([f"{title}, {name.removeprefix('paper ')}", *values, with_random])
    return markdown(["", *names, "pairs with Random"], rows)


def junk_table(runs: Runs) -> str:
    """Write how often junk stands among the five most important features."""
    rows = []
    names = (*PAPER, RANDOM)
    for data_set, title in TITLES.items():
        for name in settings_of(runs, "junk"):
            chosen = group(runs, data_set, name)
            if not chosen:
                continue
            values = []
            for each in names:
                shares = np.array([r["junk_train"][each] for r in chosen]).mean(axis=0) * 100
                values.append(f"{shares[0]:.1f}, {shares[1]:.1f}")
            accuracy = _column(chosen, lambda r: r["accuracy_train"], 2)
            rows.append([title, name.removeprefix("junk "), str(len(chosen)), accuracy, *values])
    return markdown(["data", "λ", "seeds", "accuracy, %", *names], rows)


def linearity_table(runs: Runs) -> str:
    """Write agreement and linearity of PEAR beside plain training with weight decay."""
    rows = []
    for data_set, title in TITLES.items():
        for name in settings_of(runs, "paper", "decay"):
            chosen = group(runs, data_set, name)
            if chosen:
                rows.append(
                    [
                        title,
                        f"λ=0, weight {name}" if name.startswith("decay") else name,
                        str(len(chosen)),
                        _column(chosen, lambda r: r["accuracy_train"], 2),
                        _column(chosen, lambda r: r["fvu"]),
                        _column(chosen, lambda r: agreement(r, [TRAINED_BY_THE_PAPER])),
                        _column(chosen, lambda r: agreement(r, UNTRAINED)),
                        _column(chosen, lambda r: agreement(r, pairs_of(ALIGNED))),
                    ]
                )
    header = ["data", "setting", "seeds", "accuracy, %", "FVU", "A: Grad-IntGrad"]
    return markdown([*header, "A: 14 untrained", "B: all 10"], rows)


def ablation_table(runs: Runs) -> str:
    """Write the share of the Spearman term against accuracy and agreement, at λ = 0.5."""
    rows = []
    names = ["paper λ=0", *settings_of(runs, "ablation"), "paper λ=0.5"]
    for data_set, title in TITLES.items():
        if not any(group(runs, data_set, name) for name in settings_of(runs, "ablation")):
            continue
        for name in names:
            chosen = group(runs, data_set, name)
            if chosen:
                label = {"paper λ=0": "λ=0", "paper λ=0.5": "μ=0.75"}.get(name)
                rows.append(
                    [
                        title,
                        label or name.removeprefix("ablation "),
                        str(len(chosen)),
                        _column(chosen, lambda r: r["accuracy_train"], 2),
                        _column(chosen, lambda r: agreement(r, [TRAINED_BY_THE_PAPER])),
                        _column(chosen, lambda r: agreement(r, UNTRAINED)),
                        _column(chosen, lambda r: agreement(r, pairs_of(ALIGNED))),
                        _column(chosen, lambda r: r["fvu"]),
                    ]
                )
    header = ["data", "share of Spearman", "seeds", "accuracy, %", "A: Grad-IntGrad"]
    return markdown([*header, "A: 14 untrained", "B: all 10", "FVU"], rows)


def beyond_table(runs: Runs, data_set: str) -> str:
    """Write the settings beyond the paper beside the same network with weight 0."""
    rows = []
    without_smoothgrad = pairs_of(tuple(each for each in ALIGNED if "Smooth" not in each))
    for name in settings_of(runs, "beyond"):
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        baseline = group(runs, data_set, SETTINGS[name].baseline)
        loss = "–"
        if SETTINGS[name].weight and baseline:
            seeds = {record["seed"] for record in chosen}
            plain = [r["accuracy_train"] for r in baseline if r["seed"] in seeds]
            if plain:
                difference = np.mean([r["accuracy_train"] for r in chosen]) - np.mean(plain)
                loss = f"{difference:+.2f}"
        rows.append(
            [
                name,
                str(len(chosen)),
                _column(chosen, lambda r: r["accuracy_train"], 2),
                loss,
                _column(chosen, lambda r: agreement(r, own_pairs_left_out(r, PAPER))),
                _column(chosen, lambda r: agreement(r, UNTRAINED)),
                _column(chosen, lambda r: agreement(r, own_pairs_left_out(r, ALIGNED))),
                _column(chosen, lambda r: agreement(r, pairs_of(ALIGNED))),
                _column(chosen, lambda r: agreement(r, without_smoothgrad)),
                _column(chosen, lambda r: r["fvu"]),
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
