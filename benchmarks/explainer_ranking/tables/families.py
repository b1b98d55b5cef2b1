"""Mean ranks in which each kind of probe counts once."""

import torch
from torch import Tensor

from benchmarks.explainer_ranking.records import Records, rankings_of
from benchmarks.explainer_ranking.settings import TITLES
from benchmarks.explainer_ranking.tables.places import by_mean_place
from benchmarks.shared.markdown import markdown
from pear_lightning.metrics import ExplainerRanking

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


def family_table(records: Records) -> str:
    """Return mean ranks in which each kind of probe counts once, beside the plain ones."""
    rankings = rankings_of(records)
    columns: list[dict[str, str]] = []
    for ranking in rankings.values():
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
        [each, *(column.get(each, "–") for column in columns)]
        for each in by_mean_place(rankings.values())
    ]
    return markdown(["explainer", *(TITLES[name] for name in rankings)], rows)


def mean_over_families(ranking: ExplainerRanking) -> Tensor:
    """Return the mean over the families of metrics of the mean rank in each."""
    index = {name: row for row, name in enumerate(ranking.metrics)}
    means = [
        ranking.ranks[[index[each] for each in family]].mean(0) for family in FAMILIES.values()
    ]
    return torch.stack(means).mean(dim=0)
