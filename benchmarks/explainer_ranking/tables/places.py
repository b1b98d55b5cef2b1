"""Where explainers stand in a ranking."""

from collections.abc import Iterable

from pear_lightning.functional.ranks import average_ranks
from pear_lightning.metrics import ExplainerRanking


def by_mean_place(rankings: Iterable[ExplainerRanking]) -> dict[str, float]:
    """Return the mean place (0 to 1) of all explainers, the best first."""
    rankings = list(rankings)
    explainers = dict.fromkeys(name for each in rankings for name in each.explainers)
    means = {}
    for explainer in explainers:
        places = [place_of(each, explainer) for each in rankings if explainer in each.explainers]
        means[explainer] = sum(places) / len(places)
    return dict(sorted(means.items(), key=lambda item: item[1]))


def place_of(ranking: ExplainerRanking, explainer: str) -> float:
    """Return the place in a ranking, 0 for the first and 1 for the last."""
    places = average_ranks(ranking.mean_rank)
    place = float(places[ranking.explainers.index(explainer)])
    return (place - 1) / (len(ranking.explainers) - 1)
