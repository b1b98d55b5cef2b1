"""The report of the ranking of explainers."""

from functools import partial
from pathlib import Path

from benchmarks.explainer_ranking.figures.metrics import draw_metrics
from benchmarks.explainer_ranking.figures.overview import draw_overview
from benchmarks.explainer_ranking.figures.ranking import draw_ranking
from benchmarks.explainer_ranking.records import rankings_of
from benchmarks.explainer_ranking.settings import CONTROLS, TITLES
from benchmarks.explainer_ranking.tables.budgets import budget_table
from benchmarks.explainer_ranking.tables.controls import behind_random_table, control_table
from benchmarks.explainer_ranking.tables.families import family_table
from benchmarks.explainer_ranking.tables.kinds import kinds_table
from benchmarks.explainer_ranking.tables.metrics import correlation_table
from benchmarks.explainer_ranking.tables.ranks import overview_table
from benchmarks.explainer_ranking.tables.terms import cost_table, settings_table
from benchmarks.explainer_ranking.texts import (
    BUDGET,
    FAMILIES,
    INTRODUCTION,
    KINDS,
    METRICS,
    TERMS,
)
from benchmarks.shared.drawing import save_figures
from benchmarks.shared.finished_runs import Runs
from benchmarks.shared.ranking_tables import rank_table, score_table
from benchmarks.shared.report import notes_of, write_readme


def write_report(lines: Runs, output: Path) -> None:
    """Write ``README.md`` and the figures into the folder of the results.

    Args:
        lines: Records of the finished rankings; of equal ones the last counts.
        output: Folder to write to; ``notes.md`` in it is copied to the top of the report.
    """
    records = {(each["data_set"], each["kind"]): each for each in lines}
    rankings = rankings_of(records)
    if not rankings:  # the other kinds are shown beside it
        print("no report: there is no ranking with the metrics of the papers yet")
        return
    parts = [
        "# Ranking of explainers",
        INTRODUCTION,
        notes_of(output).rstrip(),
        "## 1. Mean ranks",
        "Mean rank (interval); mean place is the place by mean rank, 0 for the first and 1 for the "
        "last, averaged over the data sets.",
        overview_table(records),
        "![Mean ranks on all data sets](overview.png)",
        "## 2. Terms",
        settings_table(records),
        TERMS,
        "## 3. Data set by data set",
    ]
    for name, ranking in rankings.items():
        parts += [
            f"### {TITLES[name]}",
            f"![{TITLES[name]}]({name}.png)",
            "Ranks; `tied` gives the places of the explainers that are tied with one:",
            rank_table(ranking, CONTROLS),
            "Mean scores:",
            score_table(ranking),
        ]
    budgets = [each for each in TITLES if (each, "budget") in records]
    parts += [
        "## 4. Controls",
        control_table(records),
        "By which metrics *Random* has the better mean score:",
        behind_random_table(records),
        "## 5. How the metrics agree",
        METRICS,
        correlation_table(records),
        FAMILIES,
        family_table(records),
        "## 6. Other definitions, another baseline",
        KINDS,
        kinds_table(records),
        "## 7. Cost",
        cost_table(records),
    ]
    for name in budgets:
        samples = records[name, "budget"]["n_samples"]
        parts += [f"## 8. Budget\n\n{BUDGET} {TITLES[name]}, {samples} samples:"]
        parts += [budget_table(records, name)]
    write_readme(parts, output)
    each = {
        name: partial(draw_ranking, ranking=ranking, title=TITLES[name])
        for name, ranking in rankings.items()
    }
    overview, metrics = (partial(draw, records=records) for draw in (draw_overview, draw_metrics))
    save_figures(each | {"overview": overview, "metrics": metrics}, output)
