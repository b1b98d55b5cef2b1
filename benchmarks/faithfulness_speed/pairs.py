"""The same metric in this library and in Quantus or Captum, ready to run on one problem.

Quantus is imported where it is used: without it our side still runs.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.faithfulness_speed.problems import Problem
from pear_lightning.explainers import Gradient
from pear_lightning.masking import ColumnMasker, PatchMasker, SegmentMasker, UniformNoise
from pear_lightning.metrics import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    Infidelity,
    MaxSensitivity,
    MonotonicityCorrelation,
    RegionPerturbation,
)

Ours = Callable[[Problem], Callable[[], Tensor]]
Theirs = Callable[[Problem], Callable[[], Any]]

RUNS = 100  # random subsets
DRAWS = 10  # of a random baseline on the table, and of the noise of max-sensitivity
RADIUS = 0.02
PATCH = 4  # 49 regions
PIXELS_PER_STEP = 28  # 28 steps
ROWS_AT_ONCE = 256  # of Captum's infidelity
NO_NORMALISATION: dict[str, Any] = {"normalise": False, "disable_warnings": True}


@dataclass(frozen=True)
class Pair:
    """A metric on both sides.

    Attributes:
        name: Its name here.
        peer: Package and name there.
        settings: What is the same on both sides.
        ours: Prepares our side for a problem; what it returns is timed.
        theirs: Prepares the other side.
        images_only: Whether it needs images.
        needs_skimage: Whether it needs scikit-image, which Quantus brings.
        note: How the two differ, if they do.
    """

    name: str
    peer: str
    settings: str
    ours: Ours
    theirs: Theirs
    images_only: bool = False
    needs_skimage: bool = False
    note: str = ""

    @property
    def package(self) -> str:
        """Name of the package that has to be there for the other side."""
        return self.peer.split()[0].lower()

    def suits(self, problem: Problem) -> bool:
        """Whether the metric can be computed on a problem."""
        return problem.is_image or not self.images_only


def elements(problem: Problem, baseline: Any = 0.0) -> ColumnMasker | PatchMasker:
    """Return the masker whose features are the elements of a sample, as Quantus' are."""
    if problem.is_image:
        return PatchMasker(1, image_size=28, baseline=baseline)
    return ColumnMasker(problem.n_elements, baseline=baseline)


def patches(problem: Problem) -> PatchMasker:
    """Return the masker whose features are patches."""
    return PatchMasker(PATCH, image_size=28, baseline=0.0)


def subset_size(problem: Problem) -> int:
    """Return a tenth of the number of elements."""
    return problem.n_elements // 10


def segments_of(problem: Problem) -> Tensor:
    """Return SLIC's segments with the settings of Quantus (scikit-image's own), ``(B, H, W)``."""
    from skimage.segmentation import slic

    images = problem.inputs.permute(0, 2, 3, 1).double().cpu().numpy()
    maps = np.stack([slic(image, start_label=0) for image in images])
    return torch.from_numpy(maps).long().to(problem.inputs.device)


def ours_of(make_metric: Callable[[Problem], Any]) -> Ours:
    """Return how to prepare one of our metrics: its scores of all samples.

    Args:
        make_metric: Makes the metric.
    """

    def prepare(problem: Problem) -> Callable[[], Tensor]:
        metric = make_metric(problem)
        return lambda: metric.score(
            problem.model, problem.inputs, problem.attributions, problem.target
        )

    return prepare


def theirs_of(
    name: str, make_arguments: Callable[[Problem], dict[str, Any]], **call_arguments: Any
) -> Theirs:
    """Return how to prepare one of Quantus' metrics: its scores of all samples.

    Args:
        name: Class of the metric.
        make_arguments: Makes its arguments.
        **call_arguments: Further arguments of the call.
    """

    def prepare(problem: Problem) -> Callable[[], Any]:
        import quantus

        shape = problem.inputs.shape if problem.is_image else (-1, 1, problem.n_elements)
        inputs, attributions = (
            tensor.cpu().numpy().reshape(shape) for tensor in (problem.inputs, problem.attributions)
        )
        metric = getattr(quantus, name)(**NO_NORMALISATION | make_arguments(problem))
        arguments: dict[str, Any] = {
            "model": problem.model,
            "x_batch": inputs,
            "y_batch": problem.target.cpu().numpy(),
            "a_batch": attributions,
            "channel_first": True,
            "softmax": True,
            "device": problem.inputs.device.type,
            "batch_size": len(inputs),
        }

        def run() -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return np.asarray(metric(**arguments | call_arguments))

        return run

    return prepare


@contextmanager
def without_check() -> Iterator[None]:
    """Take away Quantus' check, sample by sample, of whether a perturbation changed anything."""
    with mock.patch("quantus.helpers.warn.warn_perturbation_caused_no_change", _no_check):
        yield


def _no_check(**_: Any) -> None:  # a mock would take longer than the check
    pass


def gradient_for_quantus(
    model: nn.Module, inputs: Any, targets: Any, device: str = "cpu", **_: Any
) -> Any:
    """Explain in the way that Quantus asks for: arrays in, arrays out.

    Args:
        model: The explained model.
        inputs: ``(B, *S)``.
        targets: ``(B,)``.
        device: Where the model is.
    """
    points = torch.as_tensor(np.asarray(inputs, np.float32), device=device).requires_grad_()
    logits = model(points)
    rows = torch.arange(len(points), device=device)
    scores = logits.softmax(dim=1)[rows, torch.as_tensor(targets, device=device)]
    return torch.autograd.grad(scores.sum(), points)[0].cpu().numpy()


def captum_infidelity(problem: Problem) -> Callable[[], Tensor]:
    """Prepare Captum's infidelity: random subsets of a tenth of the patches.

    Args:
        problem: Model and samples.
    """
    from captum.metrics import infidelity

    shape = (28 // PATCH, 28 // PATCH)
    size = math.prod(shape) // 10

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        keys = torch.rand(len(inputs), math.prod(shape), device=inputs.device)
        removed = torch.zeros_like(keys).scatter_(1, keys.topk(size).indices, 1.0)
        removed = removed.view(-1, 1, *shape)
        removed = removed.repeat_interleave(PATCH, dim=2).repeat_interleave(PATCH, dim=3)
        return removed, inputs * (1 - removed)

    return lambda: infidelity(
        _probabilities(problem),
        perturb,
        problem.inputs,
        problem.attributions,
        target=problem.target,
        n_perturb_samples=DRAWS * 49,
        max_examples_per_batch=ROWS_AT_ONCE,
    )


def captum_max_sensitivity(problem: Problem) -> Callable[[], Tensor]:
    """Prepare Captum's max-sensitivity of the gradient.

    Args:
        problem: Model and samples.
    """
    from captum.metrics import sensitivity_max

    @torch.enable_grad()  # Captum turns it off
    def gradient(inputs: tuple[Tensor], target: Tensor) -> tuple[Tensor]:
        points = inputs[0].detach().requires_grad_()
        scores = _probabilities(problem)(points).gather(1, target[:, None])
        return torch.autograd.grad(scores.sum(), (points,))

    return lambda: sensitivity_max(
        gradient,
        problem.inputs,
        perturb_radius=RADIUS,
        n_perturb_samples=DRAWS,
        target=problem.target,
    )


def _probabilities(problem: Problem) -> Callable[[Tensor], Tensor]:
    return lambda inputs: problem.model(inputs).softmax(dim=1)


def _infidelity(problem: Problem) -> Infidelity:
    return Infidelity(patches(problem), n_subsets=DRAWS * 49, normalize=False)


def _irof(problem: Problem) -> Callable[[], Tensor]:
    metric = IROF(SegmentMasker(baseline="own_mean", pooling="mean"), n_steps=None)
    return lambda: metric.score(
        problem.model,
        problem.inputs,
        problem.attributions,
        problem.target,
        masker_kwargs={"segments": segments_of(problem)},
    )


def _monotonicity(problem: Problem) -> MonotonicityCorrelation:
    if problem.is_image:
        return MonotonicityCorrelation(elements(problem))
    return MonotonicityCorrelation(elements(problem, UniformNoise()), n_draws=DRAWS)


def _max_sensitivity(problem: Problem) -> Callable[[], Tensor]:
    metric = MaxSensitivity(Gradient(), radius=RADIUS, n_samples=DRAWS, output="prob")
    return lambda: metric.score(problem.model, problem.inputs, problem.target)


PAIRS = (
    Pair(
        "faithfulness correlation",
        "Quantus FaithfulnessCorrelation",
        f"{RUNS} random subsets of a tenth of the elements",
        ours_of(
            lambda problem: FaithfulnessCorrelation(
                elements(problem), n_subsets=RUNS, subset_size=subset_size(problem)
            )
        ),
        theirs_of(
            "FaithfulnessCorrelation",
            lambda problem: {
                "nr_runs": RUNS,
                "subset_size": subset_size(problem),
                "perturb_baseline": 0.0,
                "return_aggregate": False,
            },
        ),
    ),
    Pair(
        "faithfulness estimate",
        "Quantus FaithfulnessEstimate",
        "every element removed alone",
        ours_of(lambda problem: FaithfulnessEstimate(elements(problem))),
        theirs_of("FaithfulnessEstimate", lambda _: {"perturb_baseline": 0.0}),
    ),
    Pair(
        "monotonicity correlation",
        "Quantus MonotonicityCorrelation",
        f"every element replaced alone (table: {DRAWS} uniform draws each)",
        ours_of(_monotonicity),
        theirs_of(
            "MonotonicityCorrelation",
            lambda problem: {
                "nr_samples": 1 if problem.is_image else DRAWS,
                "perturb_baseline": 0.0 if problem.is_image else "uniform",
            },
        ),
    ),
    Pair(
        "deletion",
        "Quantus PixelFlipping",
        f"area, table 1 and image {PIXELS_PER_STEP} elements a step",
        ours_of(
            lambda problem: Deletion(
                elements(problem), n_steps=problem.n_elements // _step(problem)
            )
        ),
        theirs_of(
            "PixelFlipping",
            lambda problem: {
                "features_in_step": _step(problem),
                "perturb_baseline": 0.0,
                "return_auc_per_sample": True,
            },
        ),
        note="ours has the start of the curve as well, and width 1",
    ),
    Pair(
        "region perturbation",
        "Quantus RegionPerturbation",
        f"table 1 column, image {PATCH}x{PATCH} pixels a step, until nothing is left",
        ours_of(
            lambda problem: RegionPerturbation(
                patches(problem) if problem.is_image else elements(problem), n_steps=None
            )
        ),
        theirs_of(
            "RegionPerturbation",
            lambda problem: {
                "patch_size": PATCH if problem.is_image else 1,
                "perturb_baseline": 0.0,
            },
        ),
        note="theirs returns the drops, ours their mean",
    ),
    Pair(
        "infidelity",
        "Quantus Infidelity",
        f"{DRAWS} times 49 perturbations of {PATCH}x{PATCH} patches",
        ours_of(_infidelity),
        theirs_of(
            "Infidelity",
            lambda _: {
                "perturb_patch_sizes": [PATCH],
                "n_perturb_samples": DRAWS,
                "perturb_baseline": 0.0,
            },
        ),
        images_only=True,
        note="theirs removes the patches one after another and repeats that, ours draws subsets",
    ),
    Pair(
        "IROF",
        "Quantus IROF",
        "SLIC segments (found on both sides), replaced by a mean",
        _irof,
        theirs_of("IROF", lambda _: {"return_aggregate": False}),
        images_only=True,
        needs_skimage=True,
        note="theirs takes the mean of all images of the batch, after every step anew",
    ),
    Pair(
        "max-sensitivity",
        "Quantus MaxSensitivity",
        f"gradient, {DRAWS} draws of uniform noise of {RADIUS}",
        _max_sensitivity,
        theirs_of(
            "MaxSensitivity",
            lambda _: {"nr_samples": DRAWS, "lower_bound": RADIUS},
            explain_func=gradient_for_quantus,
            a_batch=None,
        ),
    ),
    Pair(
        "infidelity",
        "Captum infidelity",
        f"{DRAWS * 49} random subsets of a tenth of the {PATCH}x{PATCH} patches",
        ours_of(_infidelity),
        captum_infidelity,
        images_only=True,
    ),
    Pair(
        "max-sensitivity",
        "Captum sensitivity_max",
        f"gradient, {DRAWS} draws of uniform noise of {RADIUS}",
        _max_sensitivity,
        captum_max_sensitivity,
    ),
)


def _step(problem: Problem) -> int:
    return PIXELS_PER_STEP if problem.is_image else 1
