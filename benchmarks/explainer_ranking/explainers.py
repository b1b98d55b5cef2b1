"""The explainers that are ranked."""

from typing import Any

import torch
from torch import nn

from benchmarks.explainer_ranking.features import masker_of
from benchmarks.explainer_ranking.settings import BUDGETS, TERMS
from benchmarks.shared.data_set import Data
from benchmarks.shared.model_inputs import model_inputs
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
    Masker,
    PatchMasker,
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
