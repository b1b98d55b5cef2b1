"""Region perturbation: the direction in which a score is better."""

import warnings
from collections.abc import Iterator

import torch

from benchmarks.faithfulness_speed.differences.written import Difference
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.quantus_side import NO_NORMALISATION
from benchmarks.faithfulness_speed.scores import quantus_scores
from benchmarks.faithfulness_speed.settings import PATCH


def direction_difference(problem: Problem) -> Iterator[Difference]:
    """Yield what region perturbation is declared as.

    Args:
        problem: A model and six images.
    """
    import quantus

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direction = quantus.RegionPerturbation(**NO_NORMALISATION).score_direction.name
    drops = quantus_scores("RegionPerturbation", problem, patch_size=PATCH).mean(dim=1)
    random = [
        quantus_scores("RegionPerturbation", problem, patch_size=PATCH, order="random").mean(dim=1)
        for _ in range(5)
    ]
    more = int((drops > torch.stack(random).mean(dim=0)).sum())
    yield {
        "metric": "region perturbation",
        "what": f"declared as {direction.lower()} is better, although a larger drop is; ours is "
        "higher is better",
        "measured": f"drops with the most relevant first exceed those in random order in {more} of "
        "6 samples",
    }
