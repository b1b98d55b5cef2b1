"""A ranking of explainers as tables."""

from collections.abc import Collection

from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import ExplainerRanking


def rank_table(ranking: ExplainerRanking, controls: Collection[str] = ()) -> str:
    """Return the mean-rank table of one data set, with the ties.

    Args:
        ranking: The ranking.
        controls: Names of explainers that are controls, in italics.
    """
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
                f"*{name}*" if name in controls else name,
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
