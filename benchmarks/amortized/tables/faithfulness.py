"""Tables of faithfulness: the scores of a task, and mean ranks over tasks."""

from benchmarks.amortized.records import (
    FIVE,
    all_metrics,
    complete_seeds,
    mean_ranks,
    present,
    table_runs,
)
from benchmarks.amortized.settings import BESIDE, LEARNED, OPTIONS, TITLES
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.markdown import markdown
from benchmarks.shared.mean_and_interval import mean_and_interval


def task_table(runs: Runs, task: str) -> str:
    """Return the scores of a task, the explainer with the lowest mean rank over five first.

    Args:
        runs: All records.
        task: The task.
    """
    found, seeds = table_runs(runs, task), complete_seeds(runs, task)
    five, ten = (mean_ranks(runs, task, each).T for each in (list(FIVE), all_metrics(runs)))
    lines = []
    for place in five.mean(dim=1).argsort().tolist():
        method = LEARNED[place]
        cells = [
            mean_and_interval([found[method, seed]["scores"][name] for seed in seeds])
            for name in FIVE
        ]
        ranks = [mean_and_interval(each[place].tolist(), 2) for each in (five, ten)]
        lines.append([method, *cells, *ranks])
    for method in OPTIONS + BESIDE:
        known = [found[method, seed] for seed in seeds if (method, seed) in found]
        if known:
            cells = [mean_and_interval([run["scores"][name] for run in known]) for name in FIVE]
            lines.append([f"*{method}*", *cells, "", ""])
    return markdown(["", *FIVE.values(), "mean rank, five", "mean rank, ten"], lines)


def overview_table(runs: Runs) -> str:
    """Return mean ranks over all ten metrics by task, and their mean over the tasks.

    Args:
        runs: All records.
    """
    tasks = present(runs)
    ranks = {task: mean_ranks(runs, task, all_metrics(runs)).mean(dim=0) for task in tasks}
    overall = sum(ranks.values()) / len(tasks)  # type: ignore[operator]
    lines = [
        [LEARNED[place], *(f"{ranks[task][place]:.2f}" for task in tasks), f"{overall[place]:.2f}"]
        for place in overall.argsort().tolist()
    ]
    return markdown(["", *(TITLES[task] for task in tasks), "mean"], lines)


def ten_table(runs: Runs, task: str) -> str:
    """Return the mean scores of all ten metrics.

    Args:
        runs: All records.
        task: The task.
    """
    found, seeds = table_runs(runs, task), complete_seeds(runs, task)
    metrics = all_metrics(runs)
    lines = []
    for method in LEARNED + OPTIONS + BESIDE:
        known = [found[method, seed] for seed in seeds if (method, seed) in found]
        if known:
            means = [sum(run["scores"][name] for run in known) / len(known) for name in metrics]
            lines.append([method, *(f"{each:.3f}" for each in means)])
    return markdown(["", *(name.replace("_", " ") for name in metrics)], lines)
