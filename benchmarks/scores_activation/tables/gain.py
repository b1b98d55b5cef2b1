"""Where accuracy is gained."""

from benchmarks.scores_activation.methods import DECAYED, DEFAULT, GAIN_METHODS, NONE, ORACLE, TUNED
from benchmarks.scores_activation.records import column, relevance_of, select
from benchmarks.scores_activation.table_settings import GAIN
from benchmarks.scores_activation.tables.cells import found, gain, percent
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import (
    PrecisionAtK,
)


def gain_table(runs: Runs) -> str:
    """Accuracy over rows and features, and how much of what there is to gain is gained."""
    rows = []
    for table in GAIN:
        chosen = {method: select(runs, "gain", table, method) for method in GAIN_METHODS}
        if not all(chosen.values()):
            continue
        base = chosen[NONE]
        rows.append(
            [
                table,
                str(len(base)),
                percent(run["test"] for run in base),
                *(gain(chosen[method], base) for method in (DECAYED, DEFAULT, TUNED, ORACLE)),
                *(
                    found(PrecisionAtK(), column(chosen[method], "scores"), relevance_of(table))
                    for method in (NONE, DEFAULT, TUNED)
                ),
            ]
        )
    header = ["features, training rows", "seeds", "no gate, %", "weight decay", DEFAULT, TUNED]
    header += [ORACLE, "P@5, no gate", f"P@5, {DEFAULT}", f"P@5, {TUNED}"]
    return markdown(header, rows)
