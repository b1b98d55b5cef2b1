"""The report of the PEAR benchmark."""

from pathlib import Path

from benchmarks.pear_tradeoff.figures import draw_figures
from benchmarks.pear_tradeoff.records import TITLES, Runs
from benchmarks.pear_tradeoff.tables import (
    ablation_table,
    beyond_table,
    golden_table,
    junk_table,
    linearity_table,
    pair_table,
    seeds_table,
    self_agreement_table,
    six_metrics_table,
    trade_off_table,
)


def write_report(runs: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        runs: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    notes = output / "notes.md"
    present = [each for each in TITLES if any(r["data_set"] == each for r in runs)]
    cpu = sum(record["cpu_seconds"] for record in runs) / 60
    parts = [
        "# PEAR: accuracy against agreement",
        "Written by `benchmarks/pear_tradeoff` from `runs.jsonl`. Mean ± population standard "
        "deviation over seeds; PRA (pairwise rank agreement) unless a table says otherwise. Test "
        "rows are scaled with the statistics of the training rows, unless a column says “paper's "
        "scaling” (test rows scaled with their own, as the paper's code does). Agreements are "
        "over the first 500 test rows, true label's logit, k = 5.",
        notes.read_text(encoding="utf-8") if notes.exists() else "",
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
    report = "\n\n".join(part for part in parts if part)
    (output / "README.md").write_text(report + "\n", encoding="utf-8")
    draw_figures(runs, output)
