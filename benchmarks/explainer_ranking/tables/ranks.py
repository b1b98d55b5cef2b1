"""Mean ranks and scores, on all data sets and on one."""

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import CONTROLS, TITLES
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


def rank_table(ranking: ExplainerRanking) -> str:
    """Return the mean-rank table of one data set, with the ties."""
    level = f"{100 * ranking.confidence_level:g} %"
    header = ["", "explainer", "mean rank", f"{level} interval", *ranking.metric_labels(), "tied"]
    place = {ranking.explainers[e]: number + 1 for number, e in enumerate(ranking.order)}
    rows = []
    for number, e in enumerate(ranking.order):
        low, high = ranking.interval[e].tolist()
        name = ranking.explainers[e]
        tied = ", ".join(str(place[each]) for each in ranking.tied_with(name))
        cells = [f"{rank:g}" for rank in ranking.ranks[:, e].tolist()]
        rows.append(
            [
                str(number + 1),
                f"*{name}*" if name in CONTROLS else name,
                f"{ranking.mean_rank[e]:.2f}",
                f"{low:.2f} to {high:.2f}",
                *cells,
                tied or "–",
            ]
        )
    return markdown(header, rows)


def score_table(ranking: ExplainerRanking) -> str:
    """Return the mean scores of one data set."""
    rows = [
        [ranking.explainers[e], *(f"{value:.4g}" for value in ranking.means[:, e].tolist())]
        for e in ranking.order
    ]
    return markdown(["explainer", *ranking.metric_labels()], rows)
