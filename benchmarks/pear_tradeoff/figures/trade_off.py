"""Accuracy against agreement, a panel for each data set and protocol."""

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.pear_tradeoff.protocols import ALIGNED, PAPER, pairs_of
from benchmarks.pear_tradeoff.records import (
    PRA,
    TITLES,
    UNTRAINED,
    agreement,
    group,
    own_pairs_left_out,
    settings_of,
)
from benchmarks.shared.drawing import BLUE, GREEN, GREY, RED, legend_of
from benchmarks.shared.finished_runs import Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


HIGHLIGHTS = {
    "minmax, slope + Grad*Input, λ=0.25": "s",
    "quantile, λ=0": "D",
    "quantile, contributions, λ=0.35": "*",
    "quantile, slopes, λ=0.5": "^",
    "quantile, slopes + Grad*Input, λ=0.5": "P",
}
"""Settings beyond the paper that the first figure shows, with their markers."""

_OFFSETS = {0.0: (-26, 8), 0.25: (-18, -12), 0.5: (5, 7), 0.75: (-18, -12), 0.95: (-8, -14)}
"""Where the weights are written, in points from their marker."""


def draw_trade_off(plt: Any, runs: Runs) -> Any:
    """Draw accuracy against agreement."""
    figure, axes = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
    for column, (data_set, title) in enumerate(TITLES.items()):
        for row, (label, protocol) in enumerate(
            {
                "A, the paper's: pairs not trained": PAPER,
                "B, one baseline: all pairs": ALIGNED,
            }.items()
        ):
            ax = axes[row, column]
            _one_trade_off(ax, runs, data_set, protocol)
            ax.set_xlabel(f"mean PRA, protocol {label}")
            if column == 0:
                ax.set_ylabel("test accuracy, %")
            if row == 0:
                ax.set_title(title, weight="bold")
    figure.legend(*legend_of(axes.flat), loc="outside lower center", ncols=4)
    return figure


def _one_trade_off(ax: "Axes", runs: Runs, data_set: str, protocol: tuple[str, ...]) -> None:
    from matplotlib.patheffects import withStroke

    def point(chosen: Runs) -> tuple[float, float, float, float]:
        pairs = [
            agreement(
                r,
                (own_pairs_left_out(r, PAPER) if r["setting"] in beyond else UNTRAINED)
                if protocol == PAPER
                else pairs_of(ALIGNED),
            )
            for r in chosen
        ]
        accuracy = [r["accuracy_train"] for r in chosen]
        return (
            float(np.mean(pairs)),
            float(np.mean(accuracy)),
            float(np.std(pairs)),
            float(np.std(accuracy)),
        )

    beyond = settings_of(runs, "beyond")
    points = []
    for name in settings_of(runs, "paper"):
        chosen = group(runs, data_set, name)
        if chosen:
            x, y, dx, dy = point(chosen)
            points.append((x, y))
            ax.errorbar(x, y, dy, dx, fmt="o", color=BLUE, ms=4, lw=1, capsize=2)
            weight = chosen[0]["options"]["weight"]
            ax.annotate(
                f"λ = {weight:g}" if weight == 0 else f"{weight:g}".lstrip("0"),
                (x, y),
                _OFFSETS[weight],
                textcoords="offset points",
                color=BLUE,
                fontsize=8,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
                zorder=5,
            )
    if points:
        ax.plot(*zip(*points, strict=True), color=BLUE, lw=1.2, label="the paper's settings, by λ")
    for name, marker in HIGHLIGHTS.items():
        chosen = group(runs, data_set, name)
        if chosen:
            x, y, dx, dy = point(chosen)
            plain = chosen[0]["options"]["weight"] == 0
            size = 10 if marker == "*" else 6
            ax.errorbar(x, y, dy, dx, fmt="none", color=RED, lw=1, capsize=2)
            fill = "white" if plain else RED
            ax.plot(x, y, marker, color=RED, mfc=fill, ms=size, label=name)
    for name, style, label in (
        ("xgboost", "-.", "XGBoost"),
        ("logistic regression", ":", "logistic regression"),
    ):
        for record in group(runs, data_set, name):
            ax.axhline(record["accuracy_train"], color=GREY, ls=style, lw=1, label=label)
    linear = group(runs, data_set, "linear")
    if linear:
        x, y, dx, dy = point(linear)
        ax.errorbar(x, y, dy, dx, fmt="none", color=GREEN, lw=1, capsize=2)
        ax.plot(x, y, "x", color=GREEN, ms=7, mew=2, label="linear model")
    ceiling = _self_agreement(runs, data_set, protocol)
    if ceiling:
        ax.axvline(
            ceiling, color=GREY, ls="--", lw=0.8, label="self-agreement of stochastic explainers"
        )
    if protocol == PAPER:
        ax.set_xlim(0.48, 1.0)
        ax.axvline(0.5, color="black", ls=(0, (1, 3)), lw=1, label="chance")
    else:
        ax.set_xlim(right=1.01)
    ax.margins(y=0.12)


def _self_agreement(runs: Runs, data_set: str, protocol: tuple[str, ...]) -> float:
    values = []
    for name in settings_of(runs, "paper"):
        for record in group(runs, data_set, name):
            index = record["metrics"].index(PRA)
            stochastic = record["self_agreement_train"]
            values += [stochastic[each][index] for each in protocol if each in stochastic]
    return float(np.mean(values)) if values else 0.0
