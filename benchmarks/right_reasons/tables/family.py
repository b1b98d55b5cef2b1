"""The losses beside each other."""

import numpy as np

from benchmarks.right_reasons.records import runs_of
from benchmarks.right_reasons.settings import EXPERIMENTS
from benchmarks.right_reasons.tables.cells import Pick, cell, table_of_runs
from benchmarks.shared.finished_runs import Runs


def family_table(runs: Runs, experiment: str) -> str:
    """The losses beside each other."""
    base = [r["models"][0]["train_cpu_seconds"] for r in runs_of(runs, experiment, "none")]
    rows = []
    for name, setting in EXPERIMENTS[experiment].items():
        chosen = runs_of(runs, experiment, name)
        seconds = [r["models"][0]["train_cpu_seconds"] / r["options"]["epochs"] for r in chosen]
        times = f"{np.mean(seconds):.1f}" if seconds else "–"
        slower = "–"
        if seconds and base:
            slower = f"{np.mean(seconds) * setting.epochs / np.mean(base):.1f}"
        picks: list[Pick] = [
            lambda m: m["train"],
            lambda m: float(np.mean(m["classes"])),
            lambda m: min(m["classes"]),
        ]
        blocks = name != "no decoy"
        rows.append(
            [
                name,
                f"{setting.weight:g}" if setting.weight else "–",
                *(cell(runs, experiment, name, pick) for pick in picks),
                *(
                    cell(runs, experiment, name, pick) if blocks else "–"
                    for pick in ("wrong_reason", "inside")
                ),
                cell(runs, experiment, name, "entropy"),
                times,
                slower,
                str(len(chosen)),
            ]
        )
    header = ["", "λ", "train", "test, macro", "worst class", "WR", "gradient inside block"]
    header += ["entropy", "CPU s per epoch", "times plain", "runs"]
    return table_of_runs(header, rows)
