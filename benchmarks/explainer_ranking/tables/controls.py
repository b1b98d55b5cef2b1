"""Where the controls stand."""

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import CONTROLS, TITLES
from benchmarks.explainer_ranking.tables.places import by_mean_place
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import ExplainerRanking


def control_table(records: Records) -> str:
    """Return where the controls stand, and which explainers they beat."""
    rows = []
    for name, ranking in rankings_of(records).items():
        for control in CONTROLS:
            c = ranking.explainers.index(control)
            behind = [
                each
                for e, each in enumerate(ranking.explainers)
                if ranking.mean_rank[e] > ranking.mean_rank[c] and each not in CONTROLS
            ]
            tied = [each for each in ranking.tied_with(control) if each not in CONTROLS]
            rows.append(
                [
                    TITLES[name],
                    control,
                    f"{ranking.order.index(c) + 1} of {len(ranking.order)}",
                    ", ".join(behind) or "nobody",
                    ", ".join(tied) or "nobody",
                    ", ".join(_not_last(ranking, c)) or "nowhere",
                ]
            )
    header = ["data set", "control", "place", "ahead of", "tied with", "in the better half by"]
    return markdown(header, rows)


def _not_last(ranking: ExplainerRanking, row: int) -> list[str]:
    """Return the metrics that put an explainer in the better half."""
    half = (len(ranking.explainers) + 1) / 2
    ranks = ranking.ranks[:, row].tolist()
    return [
        f"{label} ({rank:g})"
        for label, rank in zip(ranking.metric_labels(), ranks, strict=True)
        if rank <= half
    ]


def behind_random_table(records: Records) -> str:
    """Return by which metrics noise scores better than an explainer."""
    rankings = rankings_of(records)
    columns: list[dict[str, str]] = []
    for ranking in rankings.values():
        noise = ranking.ranks[:, ranking.explainers.index(CONTROLS[0])]
        behind = (ranking.ranks > noise[:, None]).T.tolist()
        labels = [label[:-1] for label in ranking.metric_labels()]
        columns.append(
            {
                each: ", ".join(
                    label for label, is_behind in zip(labels, row, strict=True) if is_behind
                )
                for each, row in zip(ranking.explainers, behind, strict=True)
            }
        )
    rows = [
        [each, *(column.get(each, "–") for column in columns)]
        for each in by_mean_place(rankings.values())
        if each not in CONTROLS and any(column.get(each) for column in columns)
    ]
    return markdown(["explainer", *(TITLES[name] for name in rankings)], rows)
