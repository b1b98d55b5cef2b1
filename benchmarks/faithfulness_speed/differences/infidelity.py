"""Infidelity: patches that pile up, and sides that do not divide the image."""

from collections.abc import Iterator

from benchmarks.faithfulness_speed.differences.written import Difference, error_of
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.scores import quantus_scores
from benchmarks.faithfulness_speed.settings import PATCH
from benchmarks.shared.watched import Watched


def infidelity_differences(problem: Problem) -> Iterator[Difference]:
    """Yield how infidelity differs.

    Args:
        problem: A model and images.
    """
    one = problem.sample(0)
    watched = Watched(problem.model, record=True).eval()
    quantus_scores(
        "Infidelity", one.with_model(watched), perturb_patch_sizes=[PATCH], n_perturb_samples=2
    )
    gone = [int(n) for n in (watched.seen() != one.inputs).flatten(1).sum(dim=1)]
    yield {
        "metric": "infidelity",
        "what": "patches pile up: each copy lacks all patches before it too, and the repeats are "
        "identical, so it is one curve in reading order and not an expectation over perturbations; "
        "ours draws subsets from a generator",
        "measured": f"pixels gone: {gone[1:5]}, … up to {max(gone)}, then again {gone[50:53]}, …",
    }
    yield {
        "metric": "infidelity",
        "what": "patch sides that do not divide the image fail; ours are smaller at the edges",
        "measured": error_of(
            lambda: quantus_scores("Infidelity", one, perturb_patch_sizes=[5], n_perturb_samples=1)
        ),
    }
