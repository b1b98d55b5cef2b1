"""The report of the PEAR benchmark."""

from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.pear_tradeoff.choice import PRICE
from benchmarks.pear_tradeoff.figures.linearity import draw_linearity
from benchmarks.pear_tradeoff.figures.pairs import draw_pairs
from benchmarks.pear_tradeoff.figures.trade_off import draw_trade_off
from benchmarks.pear_tradeoff.finding import write_finding
from benchmarks.pear_tradeoff.records import CENTRED, LOGIT, TITLES, settings_of
from benchmarks.pear_tradeoff.tables.agreement import (
    pair_table,
    self_agreement_table,
    six_metrics_table,
)
from benchmarks.pear_tradeoff.tables.controls import ablation_table, junk_table, linearity_table
from benchmarks.pear_tradeoff.tables.faithfulness import both_tables
from benchmarks.pear_tradeoff.tables.reference import golden_table, seeds_table
from benchmarks.pear_tradeoff.tables.trade_off import (
    beyond_table,
    chosen_table,
    levers_table,
    near_trees_table,
    trade_off_table,
)
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
        "Written by `benchmarks/pear_tradeoff` from `runs.jsonl`. Mean ± half width of the 95 % "
        "confidence interval (Student's t) over seeds; PRA (pairwise rank agreement) unless a "
        "table says otherwise. Every agreement is given for explanations of the true label's "
        "**logit** and of its **centred logit** (the logit minus the mean of all logits, half of "
        "the margin for two classes); [why both](agreement_of_logits.md). *Common share* is the "
        "variance of the mean logit over that of the centred logits: what both logits have in "
        "common decides nothing. Test rows are scaled with the statistics of the training rows, "
        "unless a column says “paper's scaling” (test rows scaled with their own, as the paper's "
        "code does). Agreements are over the first 500 test rows, k = 5.",
        notes_of(output),
        "![Trade-off](tradeoff.png)",
        "## 1. Chosen on held-out rows",
        "For each set of trained explainers, the setting of the highest agreement on the held-out "
        f"rows that costs at most {PRICE} points of accuracy there; measured on the test rows.",
        chosen_table(runs),
        "## 2. All settings beyond the paper",
        *(beyond_table(runs, each) for each in present),
        "## 3. The paper's grid, and references",
        *(trade_off_table(runs, each) for each in present),
        "## 4. Does agreement change faithfulness?",
        "Ten metrics on 300 test rows, read on the probability, averaged over the five explainers "
        "of protocol B. `+` and `−`: better or worse than plain training, the 95 % interval of "
        "the paired difference excludes 0.",
        both_tables(runs),
        "## 5. Fewer rows, fewer steps",
        levers_table(runs),
        "## 6. Networks near the trees",
        near_trees_table(runs),
        *_of_the_paper(runs),
        f"## 14. Cost\n\n{len(runs)} models, {cpu:.0f} minutes of CPU time in all.",
    ]
    write_readme(parts, output)
    figures: dict[str, Any] = {"tradeoff": draw_trade_off}
    if settings_of(runs, "paper"):
        figures |= {"pairs": draw_pairs, "linearity": draw_linearity}
    save_figures({name: partial(draw, runs=runs) for name, draw in figures.items()}, output)
    write_finding(runs, output)


def _of_the_paper(runs: Runs) -> list[str]:
    """Return the sections that need runs of the paper's settings."""
    if not settings_of(runs, "paper"):
        return []
    return [
        "## 7. Six agreement metrics",
        "By the logit:",
        six_metrics_table(runs, LOGIT),
        "By the centred logit:",
        six_metrics_table(runs, CENTRED),
        "## 8. Against an independent implementation",
        golden_table(runs),
        seeds_table(runs),
        "## 9. Pair by pair",
        "![Pairs](pairs.png)",
        "By the logit:",
        pair_table(runs, LOGIT),
        "By the centred logit:",
        pair_table(runs, CENTRED),
        "## 10. Agreement of an explainer with itself, and with chance",
        self_agreement_table(runs),
        "## 11. Junk features",
        "Share of rows with a junk feature among the five most important, then share of junk "
        "among the five, in %. Half of the features are uniform noise; random attributions give "
        "99.0 (7 + 7 features) or 98.7 (8 + 8), and 50.",
        junk_table(runs),
        "## 12. Linearity",
        "![Linearity](linearity.png)",
        "FVU is the fraction of the variance of the logit margin that an affine fit leaves, on "
        "200 planes through three test rows each. Agreements by the centred logit.",
        linearity_table(runs),
        "## 13. Pearson, Spearman or both",
        ablation_table(runs),
    ]
