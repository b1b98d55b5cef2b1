"""Accuracy against agreement of aligned explainers, a panel for each data set."""

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.pear_tradeoff.choice import FAMILIES, chosen_of
from benchmarks.pear_tradeoff.records import (
    CENTRED,
    LOGIT,
    TITLES,
    aligned_agreement,
    group,
    settings_of,
)
from benchmarks.shared.drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, legend_of
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.mean_and_interval import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"gradients": BLUE, "cheap": "skyblue", "perturbation": GREEN, "both": PURPLE}


def draw_trade_off(plt: Any, runs: Runs) -> Any:
    """Draw accuracy against agreement, by the logit (hollow) and by the centred logit (filled)."""
    present = [each for each in TITLES if group(runs, each, "plain")]
    if not present:
        return None
    figure, axes = plt.subplots(
        1, len(present), figsize=(3.6 * len(present), 4.2), layout="constrained", squeeze=False
    )
    for ax, data_set in zip(axes[0], present, strict=True):
        _one_trade_off(ax, runs, data_set)
        ax.set_title(TITLES[data_set], weight="bold")
        ax.set_xlabel("mean PRA of five aligned explainers")
        ax.locator_params(axis="x", nbins=5)  # more would overlap
    axes[0, 0].set_ylabel("test accuracy, %")
    figure.legend(*legend_of(axes.flat), loc="outside lower center", ncols=3)
    return figure


def _one_trade_off(ax: "Axes", runs: Runs, data_set: str) -> None:
    def place(name: str, output: str) -> tuple[float, float]:
        chosen = group(runs, data_set, name)
        x = np.mean([aligned_agreement(run, output) for run in chosen])
        return float(x), float(np.mean([run["accuracy"] for run in chosen]))

    plain = place("plain", CENTRED)
    for family in FAMILIES:
        names = [each for each in settings_of(runs, "beyond") if each.startswith(family)]
        points = [place(each, CENTRED) for each in names if group(runs, data_set, each)]
        if not points:
            continue
        colour = COLOURS[family]
        label = f"trained on the centred logit: {family}"
        ax.plot(*zip(plain, *points, strict=True), "o-", color=colour, ms=4, lw=1.2, label=label)
        name = chosen_of(runs, data_set, family)
        if name:
            chosen = group(runs, data_set, name)
            x, dx = interval(aligned_agreement(run) for run in chosen)
            y, dy = interval(run["accuracy"] for run in chosen)
            ax.errorbar(x, y, dy, dx, fmt="none", color=colour, lw=1, capsize=2)
            label = "chosen on held-out rows"
            ax.plot(x, y, "*", color=colour, ms=12, label=label)
    label = "trained on the logit, measured by the logit"
    for name in settings_of(runs, "logit"):
        if group(runs, data_set, name):
            far, near = place(name, LOGIT), place(name, CENTRED)
            ax.annotate("", near, far, arrowprops={"arrowstyle": "->", "color": RED, "lw": 1})
            ax.plot(*far, "s", color=RED, mfc="white", ms=5, label=label)
            ax.plot(*near, "s", color=RED, ms=5, label=label.replace("by the", "by the centred"))
    ax.plot(*plain, "D", color="black", mfc="white", ms=6, label="plain training")
    for record in group(runs, data_set, "xgboost"):
        ax.axhline(record["accuracy"], color=GREY, ls="-.", lw=1, label="XGBoost")
    if group(runs, data_set, "paper λ=0.5"):
        x, y = place("paper λ=0.5", CENTRED)
        ax.plot(x, y, "^", color=ORANGE, ms=6, label="the paper's settings, λ = 0.5")
    ax.margins(0.1)
