"""Mean ranks on all data sets."""

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import TITLES
from benchmarks.explainer_ranking.tables.places import by_mean_place
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import ExplainerRanking


def overview_table(records: Records) -> str:
    """Return the mean rank of every explainer on every data set."""
    rankings = rankings_of(records)
    rows = [
        [
            explainer,
            *(_with_interval(each, explainer) for each in rankings.values()),
            f"{place:.2f}",
        ]
        for explainer, place in by_mean_place(rankings.values()).items()
    ]
    return markdown(["explainer", *(TITLES[name] for name in rankings), "mean place"], rows)


def _with_interval(ranking: ExplainerRanking, explainer: str) -> str:
    if explainer not in ranking.explainers:
        return "–"
    row = ranking.explainers.index(explainer)
    low, high = ranking.interval[row].tolist()
    return f"{ranking.mean_rank[row]:.1f} ({low:.1f} to {high:.1f})"
