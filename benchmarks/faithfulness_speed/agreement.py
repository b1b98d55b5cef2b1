"""Whether the values are those of Quantus, and where they are not meant to be."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.faithfulness_speed.pairs import (
    NO_NORMALISATION,
    PATCH,
    PIXELS_PER_STEP,
    elements,
    gradient_for_quantus,
    patches,
    segments_of,
    subset_size,
    theirs_of,
)
from benchmarks.faithfulness_speed.problems import Problem, images, table
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
        sample = _row(problem, row)
        watched = Watched(problem.model, record=True).eval()
        ours.append(_score(metric, sample.with_model(watched)))
        gone = (watched.seen() != sample.inputs).flatten(1)
        subsets.append([copy.nonzero()[:, 0].numpy() for copy in gone if copy.any()])
    assert all(len(each) == RUNS for each in subsets)
    draws = iter([subsets[row][run] for run in range(RUNS) for row in range(len(subsets))])
    with mock.patch("numpy.random.choice", side_effect=draws):
        theirs = _quantus(
            "FaithfulnessCorrelation",
            problem,
            nr_runs=RUNS,
            subset_size=size,
            return_aggregate=False,
        )
    return torch.cat(ours), theirs


def faithfulness_estimate(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores and Quantus', every element removed alone."""
    ours = _score(FaithfulnessEstimate(elements(problem)), problem)
    return ours, _quantus("FaithfulnessEstimate", problem)


def monotonicity_correlation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our scores and Quantus', with a fixed baseline."""
    ours = _score(MonotonicityCorrelation(elements(problem)), problem)
    return ours, _quantus("MonotonicityCorrelation", problem, nr_samples=1)


def deletion(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our areas, and Quantus' with the start added and divided by the number of steps."""
    step = PIXELS_PER_STEP if problem.is_image else 1
    n_steps = problem.n_elements // step
    ours = _score(Deletion(elements(problem), n_steps=n_steps), problem)
    curve = _quantus("PixelFlipping", problem, features_in_step=step)
    area = _quantus("PixelFlipping", problem, features_in_step=step, return_auc_per_sample=True)
    return ours, (area + (_probability(problem) + curve[:, 0]) / 2) / n_steps


def region_perturbation(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our mean drops, and Quantus' drops with that of the start, 0, among them."""
    masker = patches(problem) if problem.is_image else elements(problem)
    ours = _score(RegionPerturbation(masker, n_steps=None), problem)
    drops = _quantus("RegionPerturbation", problem, patch_size=PATCH if problem.is_image else 1)
    return ours, drops.sum(dim=1) / (drops.shape[1] + 1)


def irof(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our areas, and Quantus' image by image, the start added, divided by the segments."""
    segments = segments_of(problem)
    metric = IROF(SegmentMasker(baseline=0.0, pooling="mean"), n_steps=None)
    ours = _score(metric, problem, masker_kwargs={"segments": segments})
    theirs = []
    for row, labels in enumerate(segments):
        sample = _row(problem, row)
        watched = Watched(sample.model, record=True).eval()
        area = _quantus("IROF", sample.with_model(watched), return_aggregate=False)
        with torch.no_grad():
            scores = problem.model(watched.seen()).softmax(dim=1)[:, sample.target[0]]
        n_segments = len(labels.unique())
        # 1 - (n - area + (1 + ratio of the first step) / 2) / n
        theirs.append((area - (1 + scores[1] / scores[0]) / 2) / n_segments)
    return ours, torch.cat(theirs)


def infidelity_of_its_perturbations(problem: Problem) -> tuple[Tensor, Tensor]:
    """Return our formula at the copies that Quantus made, and its own value."""
    watched = Watched(problem.model, record=True).eval()
    theirs = _quantus(
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
    theirs = _quantus(
        "MaxSensitivity",
        problem,
        {"explain_func": gradient_for_quantus, "a_batch": None},
        nr_samples=RUNS,
        perturb_func=lambda arr, **_: next(copies),
    )
    return ours, theirs


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


def measure(n_samples: int = 8) -> dict[str, Any]:
    """Compare all values, and measure where Quantus departs from its definitions.

    Args:
        n_samples: Number of samples of each problem.

    Returns:
        ``values``: a record for each metric and problem; ``differences``: statements with numbers.
    """
    records = []
    for problem in (table(n_samples), images("light", n_samples)):
        for name, compare in COMPARISONS.items():
            if problem.is_image or name not in IMAGES_ONLY:
                ours, theirs = compare(problem)
                records.append(
                    {
                        "metric": name,
                        "problem": problem.name,
                        "largest": theirs.abs().max().item(),
                        "difference": (ours.double() - theirs).abs().max().item(),
                    }
                )
    return {"values": records, "differences": list(differences())}


def differences() -> Iterator[dict[str, str]]:
    """Yield what differs on purpose, measured now.

    Yields:
        ``metric``, ``what`` and ``measured``.
    """
    problem = images("light", 6)
    alone = [_row(problem, row) for row in range(len(problem.inputs))]

    together = _quantus("IROF", problem, return_aggregate=False, perturb_baseline="mean")
    apart = torch.cat(
        [_quantus("IROF", each, return_aggregate=False, perturb_baseline="mean") for each in alone]
    )
    metric = IROF(SegmentMasker(baseline="own_mean", pooling="mean"), n_steps=None)
    labels = segments_of(problem)
    ours = _score(metric, problem, masker_kwargs={"segments": labels})
    ours_apart = torch.cat(
        [
            _score(metric, each, masker_kwargs={"segments": labels[row : row + 1]})
            for row, each in enumerate(alone)
        ]
    )
    yield {
        "metric": "IROF",
        "what": "the mean that replaces segments is that of the whole batch, so a score depends on "
        "the other images; ours is the mean of the image",
        "measured": f"six images together {_listed(together)}, one at a time {_listed(apart)}; "
        f"ours changes by {(ours - ours_apart).abs().max().item():.1g} at most",
    }

    watched = Watched(problem.model, record=True).eval()
    _quantus("IROF", alone[0].with_model(watched), return_aggregate=False, perturb_baseline="mean")
    copies = watched.seen()[1:]
    fills = [
        copy[copy != before].unique()
        for before, copy in zip([alone[0].inputs[0], *copies[:-1]], copies, strict=True)
    ]
    values = torch.cat([fill for fill in fills if fill.numel() == 1])
    yield {
        "metric": "IROF",
        "what": "after every step the mean is taken anew, of the image with segments replaced",
        "measured": f"fill values of one image from {values.min():.3f} to {values.max():.3f}, its "
        f"own mean is {alone[0].inputs.mean():.3f}",
    }

    yield {
        "metric": "IROF",
        "what": "the area is not divided by the number of segments, and the curve begins after the "
        "first step; ours has width 1 and both ends",
        "measured": f"one at a time {_listed(apart)} against {_listed(ours)}",
    }

    colour = problem.inputs[:2].expand(-1, 3, -1, -1).contiguous()
    model = nn.Sequential(_Grey(), problem.model).eval()
    three = Problem("colour", model, colour, problem.target[:2], colour)
    yield {
        "metric": "IROF",
        "what": "images with more than one channel are refused",
        "measured": _error(
            lambda: _quantus("IROF", three, return_aggregate=False, perturb_baseline="mean")
        ),
    }

    watched = Watched(problem.model, record=True).eval()
    _quantus(
        "Infidelity",
        alone[0].with_model(watched),
        perturb_patch_sizes=[PATCH],
        n_perturb_samples=2,
    )
    gone = [int(n) for n in (watched.seen() != alone[0].inputs).flatten(1).sum(dim=1)]
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
        "measured": _error(
            lambda: _quantus("Infidelity", alone[0], perturb_patch_sizes=[5], n_perturb_samples=1)
        ),
    }

    watched = Watched(problem.model, record=True).eval()
    first = problem.first(2).with_model(watched)
    inputs = first.inputs * torch.tensor([1.0, 0.5]).view(-1, 1, 1, 1)
    two = Problem("", watched, inputs, first.target, first.attributions)
    _quantus("PixelFlipping", two, features_in_step=784, perturb_baseline="black")
    yield {
        "metric": "all",
        "what": '`"black"`, the usual baseline, is the smallest value of the sample itself, or of '
        "what is left of it; ours is what the masker says",
        "measured": f"two samples become {_listed(watched.seen().flatten(1)[:, 0])}, their "
        f"smallest values are {_listed(two.inputs.flatten(1).amin(dim=1))}",
    }

    scaled = torch.arange(1, 7)[:, None, None, None] * problem.attributions
    seen: list[Any] = []
    _quantus(
        "FaithfulnessEstimate",
        Problem("", problem.model, problem.inputs, problem.target, scaled),
        normalise=True,
        similarity_func=lambda a, b, **_: seen.append(a) or np.zeros(len(a)),
    )
    yield {
        "metric": "all",
        "what": "attributions are divided by the largest of the whole batch by default "
        "(`normalise=True`); correlations do not care; ours takes them as they are",
        "measured": f"largest of each sample afterwards: {_listed(np.abs(seen[0]).max(axis=1))}",
    }

    flat = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).eval().requires_grad_(False)
    flat[1].weight.zero_()
    constant = Problem("", flat, problem.inputs, problem.target * 0, problem.attributions)
    yield {
        "metric": "correlations",
        "what": "a model or an explanation that is constant gives NaN; ours gives 0 and counts it",
        "measured": f"Quantus {_listed(_quantus('FaithfulnessEstimate', constant))}, ours "
        f"{_listed(_score(FaithfulnessEstimate(elements(constant)), constant))}",
    }

    bias = torch.tensor([-30.0, 0.0, 0.0])
    flat = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).eval().requires_grad_(False)
    flat[1].bias.copy_(bias)
    target = torch.tensor([0, 1, 1, 1, 1, 1])
    unlikely = Problem("", flat, problem.inputs, target, problem.attributions)
    ours = _score(MonotonicityCorrelation(elements(unlikely)), unlikely)
    yield {
        "metric": "monotonicity correlation",
        "what": "one sample whose explained probability is below 1e-5 stops the batch; ours does "
        "not divide by the squared probability, which leaves ranks as they are",
        "measured": "Quantus "
        + _error(lambda: _quantus("MonotonicityCorrelation", unlikely, nr_samples=1))
        + f"; ours {_listed(ours)}",
    }

    import quantus

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direction = quantus.RegionPerturbation(**NO_NORMALISATION).score_direction.name
    drops = _quantus("RegionPerturbation", problem, patch_size=PATCH).mean(dim=1)
    random = [
        _quantus("RegionPerturbation", problem, patch_size=PATCH, order="random").mean(dim=1)
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


class _Grey(nn.Module):
    """The first channel of an image."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[:, :1]


def _row(problem: Problem, row: int) -> Problem:
    """Return the problem of one sample."""
    rows = slice(row, row + 1)
    return Problem(
        problem.name,
        problem.model,
        problem.inputs[rows],
        problem.target[rows],
        problem.attributions[rows],
    )


def _score(metric: Any, problem: Problem, **kwargs: Any) -> Tensor:
    scores: Tensor = metric.score(
        problem.model, problem.inputs, problem.attributions, problem.target, **kwargs
    )
    return scores


def _quantus(
    name: str, problem: Problem, call_arguments: dict[str, Any] | None = None, **arguments: Any
) -> Tensor:
    """Return the scores of a metric of Quantus, float64."""
    if name != "MaxSensitivity":
        arguments = {"perturb_baseline": 0.0} | arguments
    function = theirs_of(name, lambda _: arguments, **call_arguments or {})(problem)
    return torch.from_numpy(np.asarray(function(), np.float64))


def _probability(problem: Problem) -> Tensor:
    with torch.no_grad():
        probabilities = problem.model(problem.inputs).softmax(dim=1)
    return probabilities.gather(1, problem.target[:, None])[:, 0].double()


def _error(function: Callable[[], Any]) -> str:
    try:
        function()
    except Exception as error:  # whatever it is, it is the result
        return f"`{type(error).__name__}: {str(error).splitlines()[0]}`"
    return "no error"


def _listed(values: Any) -> str:
    return ", ".join(f"{float(value):.3g}" for value in values)
