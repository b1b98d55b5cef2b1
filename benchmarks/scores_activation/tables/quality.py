"""Clusters: accuracy, recovery of the relevant features, agreement with SHAP."""

from benchmarks.scores_activation.methods import ALIGNED, DEFAULT, METHODS, NONE, TUNED
from benchmarks.scores_activation.records import column, relevance_of, select
from benchmarks.scores_activation.tables.cells import found, gain, percent
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import (
    ImportanceKendall,
    ImportanceSpearman,
    PrecisionAtK,
    RelevanceAUROC,
    RelevanceAveragePrecision,
    TopKOverlap,
)


def quality_table(runs: Runs, table: str) -> str:
    """Accuracy, recovery of the relevant features and agreement with SHAP on one table."""
    relevance, rows = relevance_of(table), []
    plain = select(runs, "quality", table, NONE)
    for method in METHODS:
        chosen = select(runs, "quality", table, method)
        if not chosen:
            continue
        scores, shap = column(chosen, "scores"), column(chosen, "shap")
        effective = column(chosen, "effective") if "effective" in chosen[0] else None
        rows.append(
            [
                f"**{method}**" if method in (DEFAULT, TUNED, ALIGNED) else method,
                str(len(chosen)),
                percent(run["test"] for run in chosen),
                "" if method == NONE else gain(chosen, plain),
                percent(run["train"] for run in chosen),
                found(PrecisionAtK(), scores, relevance),
                found(RelevanceAUROC(), scores, relevance),
                found(RelevanceAveragePrecision(), scores, relevance),
                found(ImportanceSpearman(), scores, shap),
                "" if effective is None else found(ImportanceSpearman(), effective, shap),
                found(ImportanceSpearman(), scores[:, relevance], shap[:, relevance]),
                found(ImportanceKendall(), scores, shap),
                found(TopKOverlap(5), scores, shap),
                found(PrecisionAtK(), shap, relevance),
            ]
        )
    header = [table, "seeds", "test, %", "gain, points", "train, %", "P@5", "AUROC", "AP"]
    header += [
        "ρ with SHAP",
        "ρ, effective",
        "ρ, relevant only",
        "τ with SHAP",
        "top 5 with SHAP",
        "P@5 of SHAP",
    ]
    return markdown(header, rows)
