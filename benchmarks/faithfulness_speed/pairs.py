"""The metrics that this library and Quantus, Captum or TorchXAI have."""

from benchmarks.faithfulness_speed.captum_side import captum_infidelity, captum_max_sensitivity
from benchmarks.faithfulness_speed.features import elements, elements_per_step, patches, subset_size
from benchmarks.faithfulness_speed.ours import (
    our_infidelity,
    our_irof,
    our_max_sensitivity,
    our_monotonicity,
    ours_of,
)
from benchmarks.faithfulness_speed.pair import Pair
from benchmarks.faithfulness_speed.quantus_side import gradient_for_quantus, theirs_of
from benchmarks.faithfulness_speed.settings import DRAWS, PATCH, PIXELS_PER_STEP, RADIUS, RUNS
from benchmarks.faithfulness_speed.torchxai_side import (
    torchxai_faithfulness_correlation,
    torchxai_faithfulness_estimate,
)
from pear_lightning.metrics import (
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    RegionPerturbation,
)

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
        ours_of(our_monotonicity),
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
                elements(problem), n_steps=problem.n_elements // elements_per_step(problem)
            )
        ),
        theirs_of(
            "PixelFlipping",
            lambda problem: {
                "features_in_step": elements_per_step(problem),
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
        ours_of(our_infidelity),
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
        our_irof,
        theirs_of("IROF", lambda _: {"return_aggregate": False}),
        images_only=True,
        needs_skimage=True,
        note="theirs takes the mean of all images of the batch, after every step anew",
    ),
    Pair(
        "max-sensitivity",
        "Quantus MaxSensitivity",
        f"gradient, {DRAWS} draws of uniform noise of {RADIUS}",
        our_max_sensitivity,
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
        ours_of(our_infidelity),
        captum_infidelity,
        images_only=True,
    ),
    Pair(
        "max-sensitivity",
        "Captum sensitivity_max",
        f"gradient, {DRAWS} draws of uniform noise of {RADIUS}",
        our_max_sensitivity,
        captum_max_sensitivity,
    ),
    Pair(
        "faithfulness correlation",
        "TorchXAI faithfulness_corr",
        f"{RUNS} random subsets of a tenth of the elements",
        ours_of(
            lambda problem: FaithfulnessCorrelation(
                elements(problem), n_subsets=RUNS, subset_size=subset_size(problem)
            )
        ),
        torchxai_faithfulness_correlation,
    ),
    Pair(
        "faithfulness estimate",
        "TorchXAI faithfulness_estimate",
        "every element removed alone",
        ours_of(lambda problem: FaithfulnessEstimate(elements(problem))),
        torchxai_faithfulness_estimate,
    ),
)
