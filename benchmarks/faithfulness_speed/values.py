"""The values of each metric on both sides, where both mean the same."""

from collections.abc import Callable
from unittest import mock

import torch
from torch import Tensor

from benchmarks.faithfulness_speed.features import (
    elements,
    elements_per_step,
    patches,
    segments_of,
    subset_size,
)
from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.faithfulness_speed.quantus_side import gradient_for_quantus
from benchmarks.faithfulness_speed.scores import our_scores, quantus_scores
from benchmarks.faithfulness_speed.settings import PATCH
from benchmarks.shared.watched import Watched
from pear_lightning.explainers import Gradient
from pear_lightning.functional import infidelity
from pear_lightning.masking import SegmentMasker
from pear_lightning.metrics import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MaxSensitivity,
    MonotonicityCorrelation,
    RegionPerturbation,
)

RUNS = 20


def faithfulness_correlation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores, and Quantus' where it draws our subsets.

    Args:
        problem: Model and samples.
    """
    size = subset_size(problem)
    metric = FaithfulnessCorrelation(elements(problem), n_subsets=RUNS, subset_size=size)
    ours, subsets = [], []
    for row in range(len(problem.inputs)):
        sample = problem.sample(row)
        watched = Watched(problem.model, record=True).eval()
        ours.append(our_scores(metric, sample.with_model(watched)))
        gone = (watched.seen() != sample.inputs).flatten(1)
        subsets.append([copy.nonzero()[:, 0].numpy() for copy in gone if copy.any()])
    assert all(len(each) == RUNS for each in subsets)
    draws = iter([subsets[row][run] for run in range(RUNS) for row in range(len(subsets))])
    with mock.patch("numpy.random.choice", side_effect=draws):
        theirs = quantus_scores(
            "FaithfulnessCorrelation",
            problem,
            nr_runs=RUNS,
            subset_size=size,
            return_aggregate=False,
        )
    return torch.cat(ours), theirs


def faithfulness_estimate(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores and Quantus', every element removed alone."""
    ours = our_scores(FaithfulnessEstimate(elements(problem)), problem)
    return ours, quantus_scores("FaithfulnessEstimate", problem)


def monotonicity_correlation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores and Quantus', with a fixed baseline."""
    ours = our_scores(MonotonicityCorrelation(elements(problem)), problem)
    return ours, quantus_scores("MonotonicityCorrelation", problem, nr_samples=1)


def deletion(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our areas, and Quantus' with the start added and divided by the number of steps."""
    step = elements_per_step(problem)
    n_steps = problem.n_elements // step
    ours = our_scores(Deletion(elements(problem), n_steps=n_steps), problem)
    curve = quantus_scores("PixelFlipping", problem, features_in_step=step)
    area = quantus_scores(
        "PixelFlipping", problem, features_in_step=step, return_auc_per_sample=True
    )
    return ours, (area + (_probability(problem) + curve[:, 0]) / 2) / n_steps


def region_perturbation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our mean drops, and Quantus' drops with that of the start, 0, among them."""
    masker = patches(problem) if problem.is_image else elements(problem)
    ours = our_scores(RegionPerturbation(masker, n_steps=None), problem)
    drops = quantus_scores(
        "RegionPerturbation", problem, patch_size=PATCH if problem.is_image else 1
    )
    return ours, drops.sum(dim=1) / (drops.shape[1] + 1)


def irof(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our areas, and Quantus' image by image, the start added, divided by the segments."""
    segments = segments_of(problem)
    metric = IROF(SegmentMasker(baseline=0.0, pooling="mean"), n_steps=None)
    ours = our_scores(metric, problem, masker_kwargs={"segments": segments})
    theirs = []
    for row, labels in enumerate(segments):
        sample = problem.sample(row)
        watched = Watched(sample.model, record=True).eval()
        area = quantus_scores("IROF", sample.with_model(watched), return_aggregate=False)
        with torch.no_grad():
            scores = problem.model(watched.seen()).softmax(dim=1)[:, sample.target[0]]
        n_segments = len(labels.unique())
        # 1 - (n - area + (1 + ratio of the first step) / 2) / n
        theirs.append((area - (1 + scores[1] / scores[0]) / 2) / n_segments)
    return ours, torch.cat(theirs)


def infidelity_of_its_perturbations(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our formula at the copies that Quantus made, and its own value."""
    watched = Watched(problem.model, record=True).eval()
    theirs = quantus_scores(
        "Infidelity",
        problem.with_model(watched),
        perturb_patch_sizes=[PATCH],
        n_perturb_samples=2,
    )
    points = watched.seen().unflatten(0, (-1, len(problem.inputs)))
    with torch.no_grad():
        scores = problem.model(points.flatten(0, 1)).softmax(dim=1).unflatten(0, points.shape[:2])
    scores = scores.gather(2, problem.target.expand(len(points), -1)[..., None])[..., 0]
    # theirs multiplies attributions by the change of the input, so ours gets the product
    removed = ((problem.inputs - points) * problem.attributions).flatten(2).sum(dim=2)
    ours = infidelity(removed[1:].T, (scores[0] - scores[1:]).T, normalize=False)
    return ours.values, theirs


def max_sensitivity(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores, and Quantus' where it adds our noise."""
    metric = MaxSensitivity(Gradient(), n_samples=RUNS, output="prob")
    watched = Watched(problem.model, record=True).eval()
    ours = metric.score(watched, problem.inputs, problem.target)
    points = watched.seen()[-(RUNS + 1) * len(problem.inputs) :].unflatten(0, (RUNS + 1, -1))
    copies = iter(points[1:].flatten(2).numpy())
    theirs = quantus_scores(
        "MaxSensitivity",
        problem,
        {"explain_func": gradient_for_quantus, "a_batch": None},
        nr_samples=RUNS,
        perturb_func=lambda arr, **_: next(copies),
    )
    return ours, theirs


def _probability(problem: Problem) -> Tensor:
    with torch.no_grad():
        probabilities = problem.model(problem.inputs).softmax(dim=1)
    return probabilities.gather(1, problem.target[:, None])[:, 0].double()


COMPARISONS: dict[str, Callable[[Problem], tuple[Tensor, Tensor]]] = {
    "faithfulness correlation": faithfulness_correlation,
    "faithfulness estimate": faithfulness_estimate,
    "monotonicity correlation": monotonicity_correlation,
    "deletion": deletion,
    "region perturbation": region_perturbation,
    "IROF": irof,
    "infidelity": infidelity_of_its_perturbations,
    "max-sensitivity": max_sensitivity,
}

IMAGES_ONLY = ("IROF", "infidelity")
