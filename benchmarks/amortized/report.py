"""The report of the comparison of learned explainers."""

from pathlib import Path

from benchmarks.amortized.records import complete_seeds, present, table_runs
from benchmarks.amortized.settings import KERNEL_SAMPLES, TITLES
from benchmarks.amortized.tables.cost import (
    best,
    cost_table,
    error_table,
    headline_table,
    rows_table,
)
from benchmarks.amortized.tables.faithfulness import overview_table, task_table, ten_table
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.report import notes_of, write_readme

INTRODUCTION = """\
Learned explainers explain in one pass of a network. Here they are trained for the same models, with
the same explainer network (an MLP of two layers of 256 for tables, a transformer of two layers of
64 for texts and images), the same optimiser, and the same two budgets: evaluations of the explained
model f, and seconds of one CPU core. Every network is told which class it explains: FastSHAP's has
scores of all classes, as in its paper, the others have the predicted class as an input. Whichever
budget is used up first ends a training. A surrogate or a predictor gets half of what is left,
labels at most half of the seconds. No setting was tuned for these tables here, for any method.
DeepFaith's loss is the library's preset, which was chosen earlier by these metrics on tables (Bank
Marketing among them), so it has an advantage that the others do not have; its terms also contain
the law of the random subsets of FC.

All explanations explain the probability of the predicted class, are scored on f at the same test
samples, and by the same ten metrics (`FaithfulnessSuite`). Ranks are ranks among the learned
explainers, by the mean score over the samples, for each seed; ± is the half width of the 95 %
interval over the seeds. Insertion into the baseline of the removal equals negative perturbation and
deletion equals positive perturbation in these definitions, so INS and NEG are one measurement.

In italics, not ranked: *DeepFaith* with *stored subsets*, 64 of each term evaluated once, for as
many rows as the evaluations and half of the seconds suffice for, instead of new ones in every step;
with one term instead of the preset, subsets from the *Shapley kernel* and the probability, chosen
among six losses on held-out training rows of Bank Marketing; and with scores of *all classes* at
once, as FastSHAP has them. *DiET* optimises a mask for each sample, for a copy of f that was
trained for it, and is scored on f like the others; *KernelShap* evaluates f {samples} times for an
explanation (fewer where all coalitions are fewer)."""

HEADLINE = """\
Squared distance to the exact Shapley values (all coalitions) relative to their mean square, on test
samples. A sampling estimate needs so many evaluations of f for each sample to have the error of the
network, which needs none after its training. The paper of FastSHAP reports factors of 200 to 2,000
for images with hundreds of features and surrogates; a table with few features is a harder case for
a network, because sampling converges fast."""


def write_report(lines: Runs, output: Path) -> None:
    """Write ``README.md`` into the folder of the results.

    Args:
        lines: Records of the finished runs.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    tasks = present(lines)
    if not tasks:
        print("no report: no task has a record of every learned explainer yet")
        return
    parts = [
        "# Learned explainers at equal budgets",
        INTRODUCTION.format(samples=KERNEL_SAMPLES),
        notes_of(output).rstrip(),
        "## 1. Mean ranks over ten metrics",
        "Lowest mean rank: " + "; ".join(f"{t}: **{m}**" for t, m in best(lines).items()) + ".",
        overview_table(lines),
    ]
    for task in tasks:
        seeds = complete_seeds(lines, task)
        run = next(iter(table_runs(lines, task).values()))
        parts += [
            f"## {TITLES[task]}",
            _terms(run, len(seeds)),
            task_table(lines, task),
            "All ten metrics:",
            ten_table(lines, task),
            "Cost:",
            cost_table(lines, task),
        ]
        if fewer := rows_table(lines, task):
            parts += ["With fewer training rows:", fewer]
    parts += _headlines(lines)
    write_readme(parts, output)


def _terms(run: Run, seeds: int) -> str:
    terms = run["terms"]
    return (
        f"{run['n_features']} features, accuracy of f {run['accuracy']:.1f} %, {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}, {terms['samples']} test samples; budgets: "
        f"{terms['evaluations']:,} evaluations of f, {terms['seconds']:g} CPU seconds."
    )


def _headlines(lines: Runs) -> list[str]:
    parts: list[str] = []
    for task in TITLES:
        records = [run for run in lines if run["method"] == "headline" and run["task"] == task]
        if records:
            parts += [
                f"## Exact Shapley values: {TITLES[task]}",
                HEADLINE,
                headline_table(records),
                "Errors of the sampling estimates:",
                error_table(records),
            ]
    return parts
