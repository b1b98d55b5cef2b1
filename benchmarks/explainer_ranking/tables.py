"""Tables of the ranking of explainers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.explainer_ranking.explainers import CONTROLS, TERMS
from benchmarks.explainer_ranking.records import TITLES, Record, as_ranking, markdown
from pear_lightning.functional.ranks import average_ranks
from pear_lightning.metrics import ExplainerRanking

Records = dict[tuple[str, str], Record]
"""Records by data set and kind."""

FAMILIES = {
    "most relevant first": (
        "region_perturbation",
        "deletion",
        "positive_perturbation",
        "irof",
    ),
    "least relevant first": ("insertion", "negative_perturbation"),
    "random subsets": ("faithfulness_correlation", "infidelity"),
    "single removals": ("faithfulness_estimate", "monotonicity_correlation"),
}
"""Metrics by what they look at."""

FEATURES = {
    "mnist": "196 patches of 2 x 2 pixels",
    "fashion": "196 patches of 2 x 2 pixels",
    "bank": "7 columns",
    "ag_news": "up to 64 tokens (embeddings)",
}


def present(records: Records, kind: str = "papers") -> list[str]:
    """Return the data sets that have a record of a kind, in their order."""
    return [name for name in TITLES if (name, kind) in records]


def settings_table(records: Records) -> str:
    """Return what was explained, and on what terms."""
    rows = []
    for name in present(records):
        record = records[name, "papers"]
        terms = record["terms"]
        size = terms["subset_size"]
        rows.append(
            [
                TITLES[name],
                f"{record['accuracy']:.1f} %",
                f"{record['training_seconds']:.0f} s",
                FEATURES[name],
                terms["baseline"],
                str(terms["n_steps"]),
                f"{size} columns" if isinstance(size, int) else f"{100 * size:.0f} %",
                str(terms["coalitions"]),
                str(record["n_samples"]),
                str(record["evaluations_per_sample"]),
            ]
        )
    header = [
        "data set",
        "test accuracy",
        "training (wall clock, busy machine)",
        "features",
        "baseline",
        "steps of a curve",
        "subset size",
        "coalitions of KernelShap and Lime",
        "samples",
        "evaluations per sample",
    ]
    return markdown(header, rows)


def overview_table(records: Records) -> str:
    """Return the mean rank of every explainer on every data set."""
    names = present(records)
    rankings = [as_ranking(records[name, "papers"]) for name in names]
    explainers = by_mean_place(rankings)
    rows = []
    for explainer in explainers:
        cells = [_with_interval(ranking, explainer) for ranking in rankings]
        places = [_place(ranking, explainer) for ranking in rankings]
        known = [place for place in places if place is not None]
        rows.append([explainer, *cells, f"{sum(known) / len(known):.2f}"])
    header = ["explainer", *(TITLES[name] for name in names), "mean place"]
    return markdown(header, rows)


def by_mean_place(rankings: Sequence[ExplainerRanking]) -> list[str]:
    """Return all explainers, the one with the best mean place (0 to 1) first."""
    explainers = list(dict.fromkeys(name for each in rankings for name in each.explainers))

    def mean_place(explainer: str) -> float:
        places = [_place(each, explainer) for each in rankings]
        known = [place for place in places if place is not None]
        return sum(known) / len(known)

    return sorted(explainers, key=mean_place)


def _place(ranking: ExplainerRanking, explainer: str) -> float | None:
    """Return the place in a ranking, 0 for the first and 1 for the last."""
    if explainer not in ranking.explainers:
        return None
    places = average_ranks(ranking.mean_rank)
    place = float(places[ranking.explainers.index(explainer)])
    return (place - 1) / (len(ranking.explainers) - 1)


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


def control_table(records: Records) -> str:
    """Return where the controls stand, and which explainers they beat."""
    rows = []
    for name in present(records):
        ranking = as_ranking(records[name, "papers"])
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
    names = present(records)
    rankings = [as_ranking(records[name, "papers"]) for name in names]
    columns: list[dict[str, str]] = []
    for ranking in rankings:
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
        for each in by_mean_place(rankings)
        if each not in CONTROLS and any(column.get(each) for column in columns)
    ]
    return markdown(["explainer", *(TITLES[name] for name in names)], rows)


def family_table(records: Records) -> str:
    """Return mean ranks in which each kind of probe counts once, beside the plain ones."""
    names = present(records)
    rankings = [as_ranking(records[name, "papers"]) for name in names]
    columns: list[dict[str, str]] = []
    for ranking in rankings:
        weighed = mean_over_families(ranking)
        columns.append(
            {
                each: f"{plain:.1f} / {by_family:.1f}"
                for each, plain, by_family in zip(
                    ranking.explainers, ranking.mean_rank.tolist(), weighed.tolist(), strict=True
                )
            }
        )
    rows = [
        [each, *(column.get(each, "–") for column in columns)] for each in by_mean_place(rankings)
    ]
    return markdown(["explainer", *(TITLES[name] for name in names)], rows)


def mean_over_families(ranking: ExplainerRanking) -> Tensor:
    """Return the mean over the families of metrics of the mean rank in each."""
    index = {name: row for row, name in enumerate(ranking.metrics)}
    means = [
        ranking.ranks[[index[each] for each in family]].mean(0) for family in FAMILIES.values()
    ]
    return torch.stack(means).mean(dim=0)


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
        correlations.append(f"{spearman(main.mean_rank, ranking.mean_rank):.2f}")
    rows.append(["*Spearman with the first column*", *correlations])
    header = ["explainer", *(f"{TITLES[name]}, {kind}" for name, kind in columns)]
    return markdown(header, rows)


def spearman(a: Tensor, b: Tensor) -> float:
    """Return the rank correlation of two rows."""
    stacked = torch.stack([average_ranks(a), average_ranks(b)])
    return float(torch.corrcoef(stacked)[0, 1])


def correlation_table(records: Records) -> str:
    """Return how alike the metrics order the explanations of one sample, mean over data sets."""
    names = present(records)
    labels = as_ranking(records[names[0], "papers"]).metric_labels()
    mean = torch.stack(
        [torch.tensor(records[name, "papers"]["within_samples"]) for name in names]
    ).mean(dim=0)
    rows = [
        [label, *("" if i == j else f"{mean[i, j]:.2f}" for j in range(len(labels)))]
        for i, label in enumerate(labels)
    ]
    return markdown(["", *labels], rows)


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


def cost_table(records: Records) -> str:
    """Return the milliseconds of CPU time that an explanation takes."""
    names = present(records)
    costs = [records[name, "papers"]["ms_per_sample"] for name in names]
    explainers = list(dict.fromkeys(each for cost in costs for each in cost))
    rows = [
        [each, *(f"{cost[each]:.1f}" if each in cost else "–" for cost in costs)]
        for each in explainers
    ]
    mains = [records[name, "papers"] for name in names]
    scoring = [str(each["scoring_ms_per_sample"]) for each in mains]
    rows.append(["*all ten metrics of all explanations*", *scoring])
    batches = ", ".join(f"{TITLES[name]} {TERMS[name].batch_size}" for name in names)
    return markdown(["ms per sample", *(TITLES[name] for name in names)], rows) + (
        "\n\nCPU time of one thread, on a machine that others used too. Samples per batch: "
        f"{batches}."
    )
