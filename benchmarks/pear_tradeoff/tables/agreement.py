"""Agreement by metric, by pair of explainers, and of explainers with themselves."""

import numpy as np

from benchmarks.pear_tradeoff.protocols import (
    ALIGNED,
    PAPER,
    RANDOM,
    TRAINED_BY_THE_PAPER,
    pairs_of,
)
from benchmarks.pear_tradeoff.records import (
    LOGIT,
    PRA,
    TITLES,
    UNTRAINED,
    agreement,
    group,
    groups,
    settings_of,
)
from benchmarks.pear_tradeoff.tables.cells import mean_of
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from benchmarks.shared.mean_and_interval import mean_and_interval

SHORT = ("FA", "RA", "SA", "SRA", "RC", "PRA")


def six_metrics_table(runs: Runs, output: str) -> str:
    """Write the six agreement metrics of the trained pair, of LIME-SHAP and of untrained pairs.

    Args:
        runs: Records of the finished runs.
        output: Explained scalar.
    """
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
            for name in settings_of(runs, "paper", "centred"):
                chosen = group(runs, data_set, name)
                if chosen:
                    values = [
                        f"{np.mean([agreement(r, pairs, metric, output) for r in chosen]):.3f}"
                        for metric in chosen[0]["metrics"]
                    ]
                    rows.append([title, label, name.removeprefix("paper "), *values])
        example = group(runs, data_set, "paper λ=0")
        if example:
            chance = [f"{example[0]['chance'][m]:.3f}" for m in example[0]["metrics"]]
            rows.append([title, "chance, closed form", "", *chance])
    return markdown(["data", "pairs", "λ", *SHORT], rows)


def pair_table(runs: Runs, output: str) -> str:
    """Write PRA of every pair at λ = 0 and 0.5 and of the linear model.

    Args:
        runs: Records of the finished runs.
        output: Explained scalar.
    """
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
            f"{np.mean([agreement(r, pairs, output=output) for r in group(runs, *column)]):.3f}"
            for column in columns
        ]
        rows.append([label, *values])
    header = [f"{TITLES[d].split()[0]}, {n.removeprefix('paper ')}" for d, n in columns]
    return markdown(["pair", *header], rows)


def self_agreement_table(runs: Runs) -> str:
    """Write PRA of two draws of each stochastic explainer on the same models."""
    names = ("LIME", "SHAP", "SmoothGrad", "SmoothGrad*(x-b)", RANDOM)
    rows = []
    for title, name, chosen in groups(runs, settings_of(runs, "paper")):
        index = chosen[0]["metrics"].index(PRA)
        repeats = [run["self_agreement"] for run in chosen]
        values = [mean_and_interval(repeat[each][index] for repeat in repeats) for each in names]
        with_random = mean_of(
            chosen, lambda run: agreement(run, [(e, RANDOM) for e in PAPER], output=LOGIT)
        )
        rows.append([f"{title}, {name.removeprefix('paper ')}", *values, with_random])
    return markdown(["", *names, "pairs with Random"], rows)
