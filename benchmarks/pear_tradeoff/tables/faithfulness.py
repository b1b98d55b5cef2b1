"""Does training for agreement change faithfulness?"""

import numpy as np

from benchmarks.pear_tradeoff.choice import FAMILIES, chosen_of
from benchmarks.pear_tradeoff.records import CENTRED, LOGIT, TITLES, group
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from benchmarks.shared.mean_and_interval import interval

DOWN = ("deletion", "positive_perturbation", "infidelity")
"""Metrics of which lower values are better."""

SHORT = {
    "faithfulness_correlation": "FC",
    "faithfulness_estimate": "FE",
    "monotonicity_correlation": "MC",
    "region_perturbation": "RP",
    "insertion": "INS",
    "deletion": "DEL",
    "negative_perturbation": "NEG",
    "positive_perturbation": "POS",
    "irof": "IROF",
    "infidelity": "INF",
}


def compared_settings(runs: Runs, data_set: str) -> list[str]:
    """Return plain training, training on the logit, and what the held-out rows chose."""
    chosen = [chosen_of(runs, data_set, family) for family in FAMILIES]
    return ["plain", "logit, gradients λ=0.35", *(name for name in chosen if name)]


def faithfulness_table(runs: Runs, output: str) -> str:
    """Write each metric, averaged over five explainers, and how it differs from plain training.

    Args:
        runs: Records of the finished runs.
        output: Explained scalar.
    """
    rows = []
    for data_set, title in TITLES.items():
        plain = {run["seed"]: run for run in group(runs, data_set, "plain")}
        for name in compared_settings(runs, data_set):
            chosen = [run for run in group(runs, data_set, name) if run["seed"] in plain]
            if not chosen:
                continue
            cells, better, worse = [], 0, 0
            for metric in SHORT:
                values = [run["faithfulness"][output][metric] for run in chosen]
                mark = ""
                if name != "plain":
                    sign = -1 if metric in DOWN else 1
                    gains = [
                        sign * (value - plain[run["seed"]]["faithfulness"][output][metric])
                        for value, run in zip(values, chosen, strict=True)
                    ]
                    mean, half = interval(gains)
                    if mean - half > 0:
                        mark, better = " +", better + 1
                    elif mean + half < 0:
                        mark, worse = " −", worse + 1
                cells.append(f"{np.mean(values):.3f}{mark}")
            total = "–" if name == "plain" else f"{better} / {worse}"
            rows.append([title, name, len(chosen), *cells, total])
    arrows = [f"{short} {'↓' if name in DOWN else '↑'}" for name, short in SHORT.items()]
    return markdown(["data", "setting", "seeds", *arrows, "better / worse"], rows)


def both_tables(runs: Runs) -> str:
    """Write the tables of both scalars."""
    return "\n\n".join(
        [
            "Explanations of the **centred logit**:",
            faithfulness_table(runs, CENTRED),
            "Explanations of the **logit**:",
            faithfulness_table(runs, LOGIT),
        ]
    )
