"""The explainers that DeepFaith is compared with, and the controls."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from benchmarks.deepfaith.problem import Part, Problem
from benchmarks.deepfaith.settings import RANDOM, SUM, ZEROED
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
    SmoothGrad,
)
from pear_lightning.explainers.prior_sets import Prior
from pear_lightning.scoring.outputs import OutputName

_SUMMED = ("LIME", "LIME [p]", "Occlusion [p]")


def priors_of(problem: Problem, *, small: bool = True) -> dict[str, Prior]:
    """Return the explainers, of the logit and, marked ``[p]``, of the probability.

    Args:
        problem: What is explained.
        small: Whether LIME and KernelSHAP with the smaller budget are among them.
    """
    rows, masker = problem.parts["train"].inputs, problem.masker
    similarity = "masks" if problem.terms.kind == "text" else "inputs"
    found = {
        "Gradient": Prior(Gradient()),
        "InputXGradient": Prior(InputXGradient()),
        "IntGrad": Prior(IntegratedGradients(50)),
        "SmoothGrad": Prior(SmoothGrad(50, seed=0)),
        "ExpectedGradients": Prior(ExpectedGradients(50, rows[:100].clone(), seed=0)),
        "DeepLift": Prior(CaptumExplainer("DeepLift")),
        "IntGrad [p]": Prior(IntegratedGradients(50), "prob"),
    }
    outputs: dict[str, OutputName] = {"": "centered_logit", " [p]": "prob"}
    sizes = {"": problem.terms.large}
    if small:
        sizes[f" {problem.terms.small}"] = problem.terms.small
    for mark, output in outputs.items():
        found[f"Occlusion{mark}"] = Prior(Occlusion(masker), output)
        for budget, size in sizes.items():
            lime: Explainer = Lime(size, masker=masker, similarity=similarity, seed=0)
            shap: Explainer = KernelShap(size, masker=masker, seed=0)
            found[f"LIME{budget}{mark}"] = Prior(lime, output)
            found[f"KernelSHAP{budget}{mark}"] = Prior(shap, output)
    return found


def controls_of(problem: Problem, part: Part, saliency: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the controls: what simple arithmetic makes of the priors, and noise.

    Args:
        problem: What is explained.
        part: Which samples.
        saliency: Explanations of the priors, ``(N, n)`` each.

    Returns:
        ``(N, n)`` each. LIME with the zero rule is left out where the rule changes nothing.
    """
    batch = problem.parts[part]
    bound = problem.masker.bind(batch.inputs, batch.sample_data)
    without = bound.at_baseline | ~bound.present
    summed = sum(F.normalize(saliency[each].double(), dim=1) for each in _SUMMED)
    assert isinstance(summed, Tensor)
    found = {SUM: summed.float().masked_fill(without, 0)}
    zeroed = saliency["LIME [p]"].masked_fill(without, 0)
    if not torch.equal(zeroed, saliency["LIME [p]"]):
        found[ZEROED] = zeroed
    noise = torch.Generator().manual_seed(problem.seed)
    found[RANDOM] = torch.randn(summed.shape, generator=noise).masked_fill(~bound.present, 0)
    return found
