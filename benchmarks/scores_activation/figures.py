"""Figures of the ScoresActivation benchmark."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scores_activation.settings import (
    ALIGNED,
    CLUSTERS,
    DECAYED,
    DEFAULT,
    GAIN,
    METHODS,
    NONE,
    ORACLE,
    TUNED,
)
from benchmarks.scores_activation.tables import Runs, column, relevance_of, select
from benchmarks.shared.drawing import BLUE, GREEN, GREY, ORANGE, RED, pyplot
from pear_lightning.functional import precision_at_k, spearman

HOLLOW = (ALIGNED, "ScoresActivation, rate x1", "ScoresActivation, instance-wise")
COLOURS = {"none": GREY, "softmax": RED, "cancel_out": ORANGE, "stg": BLUE, "deep_lasso": GREEN}


def draw_figures(runs: Runs, output: Path) -> None:
    """Draw all figures.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to.

    Raises:
        ImportError: If matplotlib is missing.
    """
    with pyplot() as plt:
        _recovery(plt, runs, output / "recovery.png")
        _gain(plt, runs, output / "gain.png")


def _recovery(plt: Any, runs: Runs, path: Path) -> None:
    """Precision at 5 against agreement with SHAP, one point for each method."""
    tables = [table for table in CLUSTERS if select(runs, "quality", table, NONE)]
    figure, axes = plt.subplots(
        2, 3, figsize=(9, 5.6), layout="constrained", sharex=True, sharey=True
    )
    for axis, table in zip(axes.flat, tables, strict=False):
        relevance = relevance_of(table)
        for method, settings in METHODS.items():
            chosen = select(runs, "quality", table, method)
            if not chosen:
                continue
            scores, shap = column(chosen, "scores"), column(chosen, "shap")
            axis.plot(
                float(spearman(scores, shap).mean()),
                float(precision_at_k(scores, relevance).mean()),
                marker="D"
                if "instance" in method
                else "*"
                if method in (TUNED, ALIGNED)
                else "^"
                if "decay" in method
                else "o",
                markersize=12 if method in (TUNED, ALIGNED) else 7,
                color=COLOURS[settings.kind],
                fillstyle="none" if method in HOLLOW else "full",
                linestyle="none",
                label=method,
            )
        axis.axhline(0.99, color="0.85", linewidth=0.8, zorder=0)
        axis.axvline(0.94, color="0.85", linewidth=0.8, zorder=0)
        axis.set_title(f"{table} training rows")
    for axis in axes[-1]:
        axis.set_xlabel("Spearman with SHAP")
    for axis in axes[:, 0]:
        axis.set_ylabel("precision@5")
    labels: dict[str, Any] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            labels.setdefault(label, handle)
    figure.legend(list(labels.values()), list(labels), loc="outside right center")
    figure.savefig(path)


def _gain(plt: Any, runs: Runs, path: Path) -> None:
    """Points of accuracy over training without a gate, for few rows and many features."""
    shown = {DECAYED: GREY, DEFAULT: ORANGE, TUNED: RED, ORACLE: BLUE}
    widths = sorted({int(table.split("/")[0]) for table in GAIN})
    sizes = sorted({int(table.split(", ")[1]) for table in GAIN})
    figure, axes = plt.subplots(
        1, len(widths), figsize=(10, 3), layout="constrained", sharey=True, squeeze=False
    )
    for axis, d in zip(axes[0], widths, strict=True):
        for i, (method, colour) in enumerate(shown.items()):
            for place, n in enumerate(sizes):
                base = {
                    r["data_seed"]: r["test"] for r in select(runs, "gain", f"{d}/5, {n}", NONE)
                }
                points = [
                    100 * (run["test"] - base[run["data_seed"]])
                    for run in select(runs, "gain", f"{d}/5, {n}", method)
                    if run["data_seed"] in base
                ]
                if not points:
                    continue
                error = np.std(points, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0
                axis.bar(
                    place + 0.2 * (i - 1.5),
                    np.mean(points),
                    0.18,
                    yerr=error,
                    color=colour,
                    error_kw={"linewidth": 0.8},
                    label=method if place == 0 else None,
                )
        for points, style in ((11.24, "--"), (29.33, ":")):
            label = f"abstract: +{points}"
            axis.axhline(points, color="0.5", linewidth=0.8, linestyle=style, zorder=0, label=label)
        axis.axhline(0, color="black", linewidth=0.6)
        axis.set_xticks(range(len(sizes)), sizes)
        axis.set_xlabel("training rows")
        axis.set_title(f"{d} features, 5 relevant")
    axes[0, 0].set_ylabel("gain over no gate, points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    figure.savefig(path)
