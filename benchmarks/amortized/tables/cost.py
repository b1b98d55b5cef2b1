"""Tables of cost: trainings, explanations, training rows, and FastSHAP's headline."""

import math
from itertools import pairwise

from benchmarks.amortized.records import (
    all_metrics,
    complete_seeds,
    mean_ranks,
    present,
    table_runs,
)
from benchmarks.amortized.settings import BESIDE, FEWER_ROWS, LEARNED, OPTIONS, TITLES
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.markdown import markdown
from benchmarks.shared.mean_and_interval import mean_and_interval


def cost_table(runs: Runs, task: str) -> str:
    """Return what trainings and explanations of a task took, means over the seeds.

    Args:
        runs: All records.
        task: The task.
    """
    found, seeds = table_runs(runs, task), complete_seeds(runs, task)
    lines = []
    for method in LEARNED + OPTIONS + BESIDE:
        known = [found[method, seed] for seed in seeds if (method, seed) in found]
        if not known:
            continue

        def mean(name: str, known: Runs = known) -> float:
            return float(sum(run[name] for run in known) / len(known))

        lines.append(
            [
                method,
                f"{mean('evaluations'):,.0f}",
                f"{mean('seconds'):.1f}",
                f"{mean('steps'):,.0f}",
                f"{mean('ms_per_explanation'):.3f}",
                f"{mean('evaluations_per_explanation'):.0f}",
            ]
        )
    header = ["", "evaluations of f", "CPU seconds", "steps", "ms for an explanation"]
    return markdown([*header, "evaluations for an explanation"], lines)


def rows_table(runs: Runs, task: str) -> str:
    """Return a metric by the number of training rows; nothing without records.

    Args:
        runs: All records.
        task: The task.
    """
    sizes = [each for each in FEWER_ROWS.get(task, ()) if complete_seeds(runs, task, each)]
    if not sizes:
        return ""
    names = {"faithfulness_correlation": "FC", "insertion": "INS"}
    lines = []
    for method in LEARNED:
        cells = []
        for name in names:
            for size in (*sizes, None):
                found = table_runs(runs, task, size)
                values = [run["scores"][name] for (m, _), run in found.items() if m == method]
                cells.append(mean_and_interval(values))
        lines.append([method, *cells])
    every = [*(f"{each:,} rows" for each in sizes), "all rows"]
    return markdown(["", *(f"{n}, {each}" for n in names.values() for each in every)], lines)


def headline_table(records: Runs) -> str:
    """Return how many evaluations sampling needs for the errors of learned Shapley values.

    Args:
        records: Records of the headline of one task.
    """
    learned = list(records[0]["learned"])
    samplers = list(records[0]["sampled"])
    lines = []
    for name in learned:
        errors = [record["learned"][name]["error"] for record in records]
        cells = []
        for sampler in samplers:
            needed = [needed_evaluations(record, name, sampler) for record in records]
            if any(each is None for each in needed):
                cells.append("more than measured")
            else:
                cells.append(mean_and_interval([each for each in needed if each], 0))
        evaluations = sum(r["learned"][name]["evaluations"] for r in records) / len(records)
        lines.append([name, mean_and_interval(errors, 4), f"{evaluations:,.0f}", *cells])
    header = ["", "relative squared error", "evaluations in training"]
    return markdown([*header, *(f"{each}: evaluations needed" for each in samplers)], lines)


def error_table(records: Runs) -> str:
    """Return the errors of sampling estimates by their numbers of evaluations.

    Args:
        records: Records of the headline of one task.
    """
    sampled = records[0]["sampled"]
    budgets = list(next(iter(sampled.values())))
    lines = [
        [budget, *(mean_and_interval([r["sampled"][s][budget] for r in records], 4)
                   for s in sampled)]
        for budget in budgets
    ]  # fmt: skip
    return markdown(["evaluations for a sample", *sampled], lines)


def needed_evaluations(record: Run, learned: str, sampler: str) -> float | None:
    """Return how many evaluations a sampler needs for an error, by log-linear interpolation.

    Args:
        record: A record of the headline.
        learned: The learned explainer whose error is reached.
        sampler: The sampling estimate.

    Returns:
        The number; the smallest measured one if its error is already lower, ``None`` if no measured
        number suffices.
    """
    error = record["learned"][learned]["error"]
    points = [(int(n), each) for n, each in record["sampled"][sampler].items()]
    if points[0][1] <= error:
        return float(points[0][0])
    for (low, before), (high, after) in pairwise(points):
        if after <= error:
            share = (math.log(before) - math.log(error)) / (math.log(before) - math.log(after))
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return None


def best(runs: Runs) -> dict[str, str]:
    """Return the method of the lowest mean rank over ten metrics, by task.

    Args:
        runs: All records.
    """
    found = {}
    for task in present(runs):
        ranks = mean_ranks(runs, task, all_metrics(runs)).mean(dim=0)
        found[TITLES[task]] = LEARNED[int(ranks.argmin())]
    return found
