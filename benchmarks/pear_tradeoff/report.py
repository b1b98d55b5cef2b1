"""The report of the PEAR benchmark."""

from functools import partial
from pathlib import Path

from benchmarks.pear_tradeoff.figures.linearity import draw_linearity
from benchmarks.pear_tradeoff.figures.pairs import draw_pairs
from benchmarks.pear_tradeoff.figures.trade_off import draw_trade_off
from benchmarks.pear_tradeoff.records import TITLES
from benchmarks.pear_tradeoff.tables.agreement import (
    pair_table,
    self_agreement_table,
    six_metrics_table,
)
from benchmarks.pear_tradeoff.tables.controls import ablation_table, junk_table, linearity_table
from benchmarks.pear_tradeoff.tables.reference import golden_table, seeds_table
from benchmarks.pear_tradeoff.tables.trade_off import beyond_table, trade_off_table
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.report import notes_of, write_readme


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    present = [each for each in TITLES if any(r["data_set"] == each for r in runs)]
    cpu = sum(record["cpu_seconds"] for record in runs) / 60
    parts = [
        "# PEAR: accuracy against agreement",
        "Written by `benchmarks/pear_tradeoff` from `runs.jsonl`. Mean ± population standard "
        "deviation over seeds; PRA (pairwise rank agreement) unless a table says otherwise. Test "
        "rows are scaled with the statistics of the training rows, unless a column says “paper's "
        "scaling” (test rows scaled with their own, as the paper's code does). Agreements are "
        "over the first 500 test rows, true label's logit, k = 5.",
        notes_of(output),
        "![Trade-off](tradeoff.png)",
        "## 1. Trade-off",
        *(trade_off_table(runs, each) for each in present),
        "## 2. Beyond the paper",
        *(beyond_table(runs, each) for each in present),
        "## 3. Six agreement metrics",
        six_metrics_table(runs),
        "## 4. Against an independent implementation",
        golden_table(runs),
        seeds_table(runs),
        "## 5. Pair by pair",
        "![Pairs](pairs.png)",
        pair_table(runs),
        "## 6. Agreement of an explainer with itself, and with chance",
        self_agreement_table(runs),
        "## 7. Junk features",
        "Share of rows with a junk feature among the five most important, then share of junk "
        "among the five, in %. Half of the features are uniform noise; random attributions give "
        "99.0 (7 + 7 features) or 98.7 (8 + 8), and 50.",
        junk_table(runs),
        "## 8. Linearity",
        "![Linearity](linearity.png)",
        "FVU is the fraction of the variance of the logit margin that an affine fit leaves, on "
        "200 planes through three test rows each.",
        linearity_table(runs),
        "## 9. Pearson, Spearman or both",
        ablation_table(runs),
        f"## 10. Cost\n\n{len(runs)} models, {cpu:.0f} minutes of CPU time in all.",
    ]
    write_readme(parts, output)
    figures = {"tradeoff": draw_trade_off, "pairs": draw_pairs, "linearity": draw_linearity}
    save_figures({name: partial(draw, runs=runs) for name, draw in figures.items()}, output)
