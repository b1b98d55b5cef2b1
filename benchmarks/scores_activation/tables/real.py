"""Real tables."""

from benchmarks.scores_activation.methods import ALIGNED, NONE, SHORT
from benchmarks.scores_activation.records import column, select
from benchmarks.scores_activation.tables.cells import found, percent
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import (
    ImportanceSpearman,
    TopKOverlap,
)


def real_table(runs: Runs, table: str) -> str:
    """Agreement with SHAP and with trees, and accuracy on the best features, on a real table."""
    rows = []
    plain = select(runs, "real", table, NONE)
    if not plain:
        return ""
    trees, shap_plain = column(plain, "trees"), column(plain, "shap")
    half = max(1, round(trees.shape[1] / 2))
    for method in [*SHORT, ALIGNED]:
        chosen = select(runs, "real", table, method)
        if not chosen:
            continue
        scores, shap = column(chosen, "scores"), column(chosen, "shap")
        rows.append(
            [
                method,
                str(len(chosen)),
                percent(run["test"] for run in chosen),
                found(ImportanceSpearman(), scores, shap),
                found(ImportanceSpearman(), scores, shap_plain[: len(scores)]),
                found(ImportanceSpearman(), scores, trees[: len(scores)]),
                found(TopKOverlap(half), scores, shap),
                found(TopKOverlap(half), scores, trees[: len(scores)]),
                *_retrained(chosen, "scores"),
            ]
        )
    for name, key in (("SHAP of no gate", "shap"), ("XGBoost, permutation", "trees")):
        values = column(plain, key)
        rows.append(
            [
                name,
                str(len(plain)),
                percent(run["trees_test"] for run in plain) if key == "trees" else "",
                "",
                "" if key == "shap" else found(ImportanceSpearman(), values, shap_plain),
                "" if key == "trees" else found(ImportanceSpearman(), values, trees),
                "",
                "" if key == "trees" else found(TopKOverlap(half), values, trees),
                *_retrained(plain, key),
            ]
        )
    rows.append(["random features", str(len(plain)), *[""] * 6, *_retrained(plain, "random")])
    header = [f"{table}, {trees.shape[1]} features", "seeds", "test, %", "ρ with SHAP"]
    header += ["ρ with SHAP of no gate", "ρ with trees", f"top {half} with SHAP"]
    header += [f"top {half} with trees", "best quarter, %", "best half, %"]
    return markdown(header, rows)


def _retrained(runs: Runs, ranking: str) -> list[str]:
    return [percent(run["retrained"][ranking][i] for run in runs) for i in (0, 1)]
