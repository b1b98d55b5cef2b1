"""Recovery against agreement with SHAP."""

from typing import Any

from benchmarks.scores_activation.methods import (
    ALIGNED,
    METHODS,
    NONE,
    TUNED,
)
from benchmarks.scores_activation.records import column, relevance_of, select
from benchmarks.scores_activation.table_settings import CLUSTERS
from benchmarks.shared.drawing import BLUE, GREEN, GREY, ORANGE, RED, legend_of
from benchmarks.shared.finished_runs import Runs
from pear_lightning.functional import precision_at_k, spearman

HOLLOW = (ALIGNED, "ScoresActivation, rate x1", "ScoresActivation, instance-wise")
COLOURS = {"none": GREY, "softmax": RED, "cancel_out": ORANGE, "stg": BLUE, "deep_lasso": GREEN}


def draw_recovery(plt: Any, runs: Runs) -> Any:
    """Draw precision at 5 against agreement with SHAP, one point for each method."""
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
                marker=_marker(method),
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
    figure.legend(*legend_of(axes.flat), loc="outside right center")
    return figure


def _marker(method: str) -> str:
    if "instance" in method:
        return "D"
    if method in (TUNED, ALIGNED):
        return "*"
    return "^" if "decay" in method else "o"
