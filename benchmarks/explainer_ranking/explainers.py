"""What the ranking of explainers compares, and on what terms."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.explainer_ranking.data import MAX_TOKENS, Data
from benchmarks.explainer_ranking.networks import model_inputs
from pear_lightning.explainers import (
    CaptumExplainer,
    ExpectedGradients,
    Explainer,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    Occlusion,
    RandomAttributions,
    SmoothGrad,
)
from pear_lightning.masking import (
    ColumnMasker,
    Masker,
    PatchMasker,
    SegmentMasker,
    Slic,
    TokenMasker,
)
from pear_lightning.metrics import (
    IROF,
    Deletion,
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    FaithfulnessSuite,
    Infidelity,
    Insertion,
    MonotonicityCorrelation,
    NegativePerturbation,
    PositivePerturbation,
    RegionPerturbation,
)

CONTROLS = ("Random", "Inverted IG")
"""Explanations that must come last: noise, and integrated gradients with the other sign."""


@dataclass(frozen=True)
class Terms:
    """On what terms explanations of a data set are compared.

    Attributes:
        baseline: What removed features become, for explainers and metrics.
        n_steps: Steps of a removal curve.
        subset_size: Of random subsets, in features or as a share.
        coalitions: Model evaluations of KernelShap and Lime.
        noise: Standard deviation of SmoothGrad's noise, in units of the inputs.
        batch_size: Samples explained together.
        samples: Test samples, drawn at random.
    """

    baseline: str
    n_steps: int
    subset_size: int | float
    coalitions: int
    noise: float
    batch_size: int
    samples: int


TERMS = {
    "mnist": Terms("zeros", 28, 0.1, 600, 0.1, 25, 300),
    "fashion": Terms("zeros", 28, 0.1, 600, 0.1, 25, 300),
    "bank": Terms("mean", 7, 3, 128, 0.1, 250, 1000),
    "ag_news": Terms("zeros", 16, 0.2, 500, 0.1, 25, 300),
}


OTHER_BASELINES = {"mnist": "mean", "fashion": "mean", "ag_news": "own_mean"}
"""What else removed features may become for the metrics, while explanations stay as they are."""


BUDGETS = {"mnist": (300, 600, 1200, 2400)}
BUDGET_SAMPLES = 50
"""How KernelShap and Lime depend on their number of model evaluations: where, and on how many
samples."""


def masker_of(name: str, data: Data, *, other_baseline: bool = False) -> Masker:
    """Return the features of a data set: patches of 2 x 2 pixels, columns, tokens.

    Args:
        name: Name of the data set.
        data: The data set.
        other_baseline: Whether removed features become what ``OTHER_BASELINES`` says.
    """
    chosen: Any = OTHER_BASELINES[name] if other_baseline else TERMS[name].baseline
    if name == "ag_news":
        return TokenMasker(n_tokens=MAX_TOKENS, baseline=chosen)
    if name == "bank":
        masker: Masker = ColumnMasker(data.train.inputs.shape[1], baseline=chosen)
    else:
        masker = PatchMasker(2, 28, baseline=chosen)
    masker.fit(data.train.inputs.mean(dim=0))
    return masker


def suite_of(name: str, masker: Masker, explanations: list[str], kind: str) -> FaithfulnessSuite:
    """Return the ten metrics.

    Args:
        name: Name of the data set.
        masker: Its features.
        explanations: Names of what is compared.
        kind: ``"deepfaith"`` for the definitions of DeepFaith's code; else each metric as its own
            paper defines it.
    """
    terms = TERMS[name]
    subsets: dict[str, Any] = {"n_subsets": 100, "subset_size": terms.subset_size}
    if kind == "deepfaith":
        return FaithfulnessSuite.deepfaith(masker, explanations, n_steps=terms.n_steps, **subsets)
    segments = masker
    if isinstance(masker, PatchMasker):
        segments = SegmentMasker(Slic(25, compactness=0.1), baseline="own_mean")
    accuracy: dict[str, Any] = {"n_steps": 10, "value": "accuracy", "ends": "none"}
    return FaithfulnessSuite(
        masker,
        explanations,
        [
            FaithfulnessCorrelation(masker, **subsets),
            FaithfulnessEstimate(masker),
            MonotonicityCorrelation(masker),
            RegionPerturbation(masker, terms.n_steps),
            Insertion(masker, terms.n_steps),
            Deletion(masker, terms.n_steps),
            NegativePerturbation(masker, **accuracy),
            PositivePerturbation(masker, **accuracy),
            IROF(segments, terms.n_steps),
            Infidelity(masker, **subsets),
        ],
    )


def explainers_of(name: str, model: nn.Module, data: Data, masker: Masker) -> dict[str, Explainer]:
    """Return the explainers of a data set; names of the library's own have no prefix.

    Args:
        name: Name of the data set.
        model: The trained network.
        data: The data set.
        masker: Its features.
    """
    terms = TERMS[name]
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(data.train.target), generator=generator)[:100]
    background = model_inputs(model, data.train.inputs[rows])[0]
    b: Any = data.train.inputs.mean(dim=0) if terms.baseline == "mean" else terms.baseline
    explainers: dict[str, Explainer] = {
        "Gradient": Gradient(),
        "InputXGradient": InputXGradient(b),
        "IntegratedGradients": IntegratedGradients(20, b),
        "SmoothGrad": SmoothGrad(25, terms.noise),
        "ExpectedGradients": ExpectedGradients(50, background),
        "KernelShap": KernelShap(terms.coalitions, masker=masker),
        "Lime": Lime(terms.coalitions, masker=masker, similarity="masks"),
        "Occlusion": Occlusion(masker),
        "Saliency": CaptumExplainer("Saliency"),
        "DeepLift": CaptumExplainer("DeepLift", baseline=b),
        "DeepLiftShap": CaptumExplainer(
            "DeepLiftShap", attribute_kwargs={"baselines": background[:16]}
        ),
        "GradientShap": CaptumExplainer(
            "GradientShap", attribute_kwargs={"baselines": background, "n_samples": 50}
        ),
        "LRP": _lrp(model),
        "GuidedBackprop": CaptumExplainer("GuidedBackprop"),
        "Deconvolution": CaptumExplainer("Deconvolution"),
    }
    if isinstance(masker, PatchMasker):
        explainers["GradCAM"] = CaptumExplainer(
            "LayerGradCam", layer="features.4", interpolate_mode="bilinear"
        )
        explainers["GuidedGradCam"] = CaptumExplainer("GuidedGradCam", layer="features.4")
    return explainers | {"Random": RandomAttributions()}


def budget_explainers(name: str, data: Data) -> dict[str, Explainer]:
    """Return KernelShap and Lime with more and more model evaluations, and a reference.

    Args:
        name: Name of the data set.
        data: The data set.
    """
    masker = masker_of(name, data)
    explainers: dict[str, Explainer] = {"IntegratedGradients": IntegratedGradients(20)}
    for size in BUDGETS[name]:
        explainers[f"KernelShap, {size}"] = KernelShap(size, masker=masker)
        explainers[f"Lime, {size}"] = Lime(size, masker=masker, similarity="masks")
    return explainers | {"Random": RandomAttributions()}


def _lrp(model: nn.Module) -> Explainer:
    """Return LRP with the gamma rule for convolutions; with epsilon alone it is InputXGradient."""
    from captum.attr._utils.lrp_rules import GammaRule

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.rule = GammaRule(0.25)
    return CaptumExplainer("LRP")
