"""Syn1 to Syn6, XOR and Friedman."""

from benchmarks.scores_activation.methods import SHORT
from benchmarks.scores_activation.records import column, relevance_of, select
from benchmarks.scores_activation.table_settings import FORMULAS
from benchmarks.scores_activation.tables.cells import found, percent
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import (
    PrecisionAtK,
    RelevanceAUROC,
)


def formulas_table(runs: Runs) -> str:
    """Recovery of the relevant features of Syn1 to Syn6, XOR and Friedman."""
    rows = []
    for table in FORMULAS:
        relevance = relevance_of(table)
        for method in SHORT:
            if not (chosen := select(runs, "formulas", table, method)):
                continue
            scores = column(chosen, "scores")
            rows.append(
                [
                    table,
                    method,
                    percent(run["test"] for run in chosen),
                    found(PrecisionAtK(), scores, relevance),
                    found(RelevanceAUROC(), scores, relevance),
                    *(
                        percent(run[key] for run in chosen) if key in chosen[0] else ""
                        for key in ("tpr", "fdr")
                    ),
                ]
            )
    header = ["table", "method", "test (R² for Friedman), %", "P@k", "AUROC", "TPR, %", "FDR, %"]
    return markdown(header, rows)
