"""Mean ranks by other definitions, and with another baseline."""

from benchmarks.explainer_ranking.records import Records, as_ranking, present
from benchmarks.explainer_ranking.settings import TITLES
from benchmarks.explainer_ranking.tables.places import by_mean_place
from benchmarks.shared.markdown import markdown
from pear_lightning.functional import spearman


def kinds_table(records: Records) -> str:
    """Return the mean ranks by other definitions and with another baseline."""
    names = [
        name
        for name in present(records)
        if any((name, kind) in records for kind in ("deepfaith", "other baseline"))
    ]
    kinds = ("papers", "deepfaith", "other baseline")
    columns = [(name, kind) for name in names for kind in kinds if (name, kind) in records]
    rankings = [as_ranking(records[column]) for column in columns]
    explainers = by_mean_place([as_ranking(records[name, "papers"]) for name in names])
    rows = []
    for explainer in explainers:
        cells = []
        for ranking in rankings:
            has = explainer in ranking.explainers
            row = ranking.explainers.index(explainer) if has else 0
            cells.append(f"{ranking.mean_rank[row]:.1f}" if has else "–")
        rows.append([explainer, *cells])
    correlations = []
    for (name, _), ranking in zip(columns, rankings, strict=True):
        main = as_ranking(records[name, "papers"])
        correlations.append(f"{float(spearman(main.mean_rank, ranking.mean_rank)):.2f}")
    rows.append(["*Spearman with the first column*", *correlations])
    header = ["explainer", *(f"{TITLES[name]}, {kind}" for name, kind in columns)]
    return markdown(header, rows)
