"""The aims, and the best sibling."""

import numpy as np

from benchmarks.scores_activation.methods import ALIGNED, DEFAULT, METHODS, TUNED
from benchmarks.scores_activation.records import column, relevance_of, select
from benchmarks.scores_activation.table_settings import CLUSTERS
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import (
    ImportanceSpearman,
    PrecisionAtK,
    RelevanceAUROC,
)

OURS = [name for name in METHODS if METHODS[name].kind == "softmax"]
SIBLINGS = [name for name in METHODS if METHODS[name].kind in ("cancel_out", "stg", "deep_lasso")]


def aims_table(runs: Runs) -> str:
    """The aims at 400 and 1200 training rows, beside the best sibling in each column."""
    rows = []
    for table in (name for name in CLUSTERS if not name.endswith(" 160")):
        relevance = relevance_of(table)
        values: dict[str, list[float]] = {}
        for method in [*OURS, *SIBLINGS]:
            if chosen := select(runs, "quality", table, method):
                scores = column(chosen, "scores")
                measured = []
                for metric, other in (
                    (PrecisionAtK(), relevance),
                    (RelevanceAUROC(), relevance),
                    (ImportanceSpearman(), column(chosen, "shap")),
                ):
                    metric.update(scores, other)
                    measured.append(float(metric.compute()))
                accuracy = 100 * float(np.mean([run["test"] for run in chosen]))
                values[method] = [*measured, accuracy]
        siblings = [name for name in SIBLINGS if name in values]
        if not siblings:
            continue
        for i, (name, digits) in enumerate(
            [("P@5", 3), ("AUROC", 3), ("ρ with SHAP", 3), ("test, %", 1)]
        ):
            best = max(siblings, key=lambda method: values[method][i])
            rows.append(
                [
                    table,
                    name,
                    *(
                        f"{values[m][i]:.{digits}f}" if m in values else "–"
                        for m in (DEFAULT, TUNED, ALIGNED)
                    ),
                    f"{values[best][i]:.{digits}f} ({best})",
                    ["≥ .99", "", "≥ .94", ""][i],
                ]
            )
    return markdown(["table", "", DEFAULT, TUNED, ALIGNED, "best sibling", "aim"], rows)
