"""KernelShap and Lime by their number of model evaluations."""

from benchmarks.explainer_ranking.records import Records, as_ranking
from benchmarks.explainer_ranking.settings import CONTROLS
from benchmarks.shared.markdown import markdown


def budget_table(records: Records, name: str) -> str:
    """Return the scores of KernelShap and Lime by their number of model evaluations."""
    ranking = as_ranking(records[name, "budget"])
    cost = records[name, "budget"]["ms_per_sample"]
    rows = []
    for e in sorted(range(len(ranking.explainers)), key=lambda e: _by_size(ranking.explainers[e])):
        each = ranking.explainers[e]
        if each not in CONTROLS:
            values = [f"{value:.4g}" for value in ranking.means[:, e].tolist()]
            rows.append([each, f"{ranking.mean_rank[e]:.1f}", *values, f"{cost[each]:.0f}"])
    return markdown(["explainer", "mean rank", *ranking.metric_labels(), "ms"], rows)


def _by_size(explainer: str) -> tuple[str, int]:
    """Return what sorts "Lime, 300" before "Lime, 1200"."""
    name, _, size = explainer.partition(", ")
    return name, int(size or 0)
