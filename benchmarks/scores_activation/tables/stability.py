"""Stability over seeds and bootstrap samples."""

from benchmarks.scores_activation.methods import SHORT
from benchmarks.scores_activation.records import column, select
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.functional.importance_agreement import StabilityName
from pear_lightning.metrics import (
    ImportanceStability,
)


def stability_table(runs: Runs) -> str:
    """Mean pairwise agreement over seeds, and over bootstrap samples, within each table."""
    measures: list[tuple[str, StabilityName, int | None]] = [
        ("Spearman", "spearman", None),
        ("Kendall", "kendall", None),
        ("Jaccard@5", "jaccard_at_k", 5),
        ("Kuncheva@5", "kuncheva_index", 5),
    ]
    rows = []
    for method in SHORT:
        if not select(runs, "stability", "16/5, 400", method):
            continue
        cells = [method]
        for bootstrapped in (False, True):
            chosen = [
                run
                for run in select(runs, "stability", "16/5, 400", method)
                if (run["bootstrap"] is not None) == bootstrapped
            ]
            for _, measure, k in measures:
                metric = ImportanceStability(measure, k)
                for data_seed in sorted({run["data_seed"] for run in chosen}):
                    metric.update(
                        column([r for r in chosen if r["data_seed"] == data_seed], "scores")
                    )
                cells.append(f"{float(metric.compute()):.3f} ± {float(metric.sd()):.3f}")
        rows.append(cells)
    names = [name for name, *_ in measures]
    header = ["16/5, 400", *(f"seeds: {n}" for n in names), *(f"bootstrap: {n}" for n in names)]
    return markdown(header, rows)
