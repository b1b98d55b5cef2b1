"""The setting that the held-out rows choose."""

import numpy as np

from benchmarks.pear_tradeoff.records import against_baseline, group
from benchmarks.pear_tradeoff.settings import SETTINGS
from benchmarks.shared.finished_runs import Runs

FAMILIES = ("gradients", "cheap", "perturbation", "both")
"""Sets of trained explainers, by the first word of their settings' names."""

PRICE = 0.5
"""Points of accuracy on the held-out rows that agreement may cost."""


def choose(runs: Runs, data_set: str, names: list[str]) -> str | None:
    """Return the setting of the highest agreement on the held-out rows at an acceptable price.

    Only held-out rows decide: means over the seeds of the aligned agreement of the centred logit,
    among the settings whose accuracy is at most :data:`PRICE` points below that of weight 0.

    Args:
        runs: Records of the finished runs.
        data_set: Name of the data set.
        names: Names of the settings.

    Returns:
        Name of the setting; the most accurate one if all are too expensive, ``None`` without runs.
    """
    scores: dict[str, tuple[float, float]] = {}
    for name in names:
        chosen = group(runs, data_set, name)
        if chosen and (differences := against_baseline(runs, chosen, "val_accuracy")):
            agreements = [run["val_agreement"] for run in chosen]
            scores[name] = float(np.mean(differences)), float(np.mean(agreements))
    if not scores:
        return None
    cheap = [name for name, (difference, _) in scores.items() if difference >= -PRICE]
    if cheap:
        return max(cheap, key=lambda name: scores[name][1])
    return max(scores, key=lambda name: scores[name][0])


def chosen_of(runs: Runs, data_set: str, family: str) -> str | None:
    """Return the chosen setting of a family.

    Args:
        runs: Records of the finished runs.
        data_set: Name of the data set.
        family: One of :data:`FAMILIES`, ``"slopes"``, or the name of a network near the trees.
    """
    groups = ("beyond", "slopes", "trees")
    names = [
        name
        for name, setting in SETTINGS.items()
        if setting.group in groups and setting.weight and name.startswith(family)
    ]
    return choose(runs, data_set, names)
