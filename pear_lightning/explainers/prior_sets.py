"""Named sets of explainers whose explanations a learned explainer can imitate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from pear_lightning.explainers.base import Explainer
from pear_lightning.explainers.captum_explainer import CaptumExplainer
from pear_lightning.explainers.expected_gradients import ExpectedGradients
from pear_lightning.explainers.explain import explain_batch
from pear_lightning.explainers.explainer_sets import named_explainers
from pear_lightning.explainers.grad_cam import GradCAM
from pear_lightning.explainers.grad_cam_plus_plus import GradCAMPlusPlus
from pear_lightning.explainers.gradient import Gradient
from pear_lightning.explainers.input_x_gradient import InputXGradient
from pear_lightning.explainers.integrated_gradients import IntegratedGradients
from pear_lightning.explainers.kernel_shap import KernelShap
from pear_lightning.explainers.lime import Lime
from pear_lightning.explainers.occlusion import Occlusion
from pear_lightning.explainers.score_cam import ScoreCAM
from pear_lightning.explainers.smooth_grad import SmoothGrad
from pear_lightning.functional.validation import check_choice
from pear_lightning.masking.masker import Masker
from pear_lightning.masking.token_masker import TokenMasker
from pear_lightning.scoring.batch import Batch
from pear_lightning.scoring.evaluation import copies_that_fit
from pear_lightning.scoring.outputs import OutputName, resolve_output
from pear_lightning.scoring.scorer import Forward

PriorSet = Literal["default", "model_free", "paper_table", "paper_text", "paper_image"]
_SETS = ("default", "model_free", "paper_table", "paper_text", "paper_image")


@dataclass(frozen=True)
class Prior:
    """An explainer, and the scalar of the model that it explains.

    Args:
        explainer: The explainer.
        output: The scalar; see :func:`~pear_lightning.explainers.explain`.

    Raises:
        TypeError: If it is not an explainer.
        ValueError: If the scalar is unknown.
    """

    explainer: Explainer
    output: OutputName = "centered_logit"

    def __post_init__(self) -> None:
        """Check the types."""
        if not isinstance(self.explainer, Explainer):
            raise TypeError(
                "explainer must be an Explainer, such as Gradient(), got "
                f"{type(self.explainer).__name__}"
            )
        resolve_output(self.output)


Priors = Mapping[str, Prior | Explainer] | Sequence[Prior | Explainer]
"""Prior explainers by name, or a sequence of them."""


def prior_set(
    name: PriorSet,
    masker: Masker,
    *,
    layer: str | None = None,
    background: Tensor | None = None,
) -> dict[str, Prior]:
    """Return a set of prior explainers by name, in a fixed order.

    - ``"default"``: nine explainers of the logit (gradient, input x gradient, integrated
      gradients, SmoothGrad, expected gradients, DeepLift, occlusion, LIME, KernelSHAP), and four of
      them of the probability. DeepLift needs a network.
    - ``"model_free"``: those that need no gradients: occlusion, LIME and KernelSHAP, of the logit
      and of the probability.
    - ``"paper_table"`` and ``"paper_text"``: the eight methods of DeepFaith. With one element per
      feature, occlusion and feature ablation are the same computation.
    - ``"paper_image"``: its 14 methods for images. The output of ``layer`` must not be negative, as
      after a ReLU (Grad-CAM++). LRP supports the layers that Captum has rules for.

    All explainers are seeded. Integrated gradients and input x gradient start from zeros, expected
    gradients from training rows (for texts from zeros), and explainers that remove features replace
    them as the masker does.

    Args:
        name: Name of the set.
        masker: Defines the features, and their values when removed.
        layer: Layer of the three methods of the Grad-CAM family, such as ``"layer4"``; required by
            ``"paper_image"``.
        background: Rows of DeepLiftShap, ``(N, *S)``, DeepFaith uses 16; required by
            ``"paper_image"``.

    Raises:
        ValueError: If the name is unknown, or an argument is missing.

    Example:
        >>> from pear_lightning.masking import ColumnMasker
        >>> list(prior_set("model_free", ColumnMasker(4)))[:2]
        ['occlusion', 'lime']
        >>> prior_set("paper_table", ColumnMasker(4))["lime"].output
        'logit'

    References:
        Guo et al., *Learning for Highly Faithful Explainability* (DeepFaith), ICLR 2026; settings
        as in the authors' code.

    Deviations from the paper:
        Baselines of expected gradients (GradientShap) and DeepLiftShap are fixed rows of the
        training data instead of the batch, and LIME, KernelSHAP and occlusion of texts and tables
        remove the masker's features.
    """
    check_choice("name", name, _SETS)
    if name == "default":
        return _default(masker)
    if name == "model_free":
        return _removing(masker)
    if name == "paper_image":
        return _paper_image(masker, layer, background)
    n_samples = 20 if name == "paper_table" else 50
    explainers: dict[str, Explainer] = {
        "integrated_gradients": IntegratedGradients(20),
        "gradient_shap": _expected_gradients(masker),
        "deep_lift": CaptumExplainer("DeepLift", method_kwargs={"eps": 1e-9}),
        "saliency": CaptumExplainer("Saliency"),
        "occlusion": Occlusion(masker),
        "feature_ablation": Occlusion(masker),
        "lime": Lime(
            n_samples, masker=masker, similarity=_similarity(masker), exhaustive=False, seed=0
        ),
        "kernel_shap": KernelShap(n_samples, masker=masker, exhaustive=False, seed=0),
    }
    return _of_logit(explainers)


def named_priors(argument: str, priors: Priors) -> dict[str, Prior]:
    """Return prior explainers by name, in the same order.

    Args:
        argument: Name of the argument that holds them, for error messages.
        priors: Explainers by name; or a sequence, whose explainers are named after their classes.
            One without an output explains the centred logit.

    Raises:
        TypeError: If one is neither a ``Prior`` nor an explainer.
        ValueError: If there are none.

    Example:
        >>> list(named_priors("explainers", [Gradient(), Prior(Gradient(), "prob")]))
        ['gradient', 'gradient_2']
    """
    values = list(priors.values() if isinstance(priors, Mapping) else priors)
    explainers = [each.explainer if isinstance(each, Prior) else each for each in values]
    named = named_explainers(
        argument,
        dict(zip(priors, explainers, strict=True)) if isinstance(priors, Mapping) else explainers,
    )
    return {
        name: each if isinstance(each, Prior) else Prior(each)
        for name, each in zip(named, values, strict=True)
    }


def explain_with_priors(
    forward: Forward,
    batch: Batch,
    priors: Mapping[str, Prior],
    *,
    points_per_pass: int | None = None,
) -> dict[str, Tensor]:
    """Return the attributions of prior explainers, without graph; those of a scalar share a pass.

    Args:
        forward: The explained model.
        batch: The samples; the target is the explained class.
        priors: The prior explainers by name.
        points_per_pass: Largest number of query points of each sample in one pass; ``None`` for
            as many as fit (:func:`~pear_lightning.scoring.evaluation.copies_that_fit`).

    Returns:
        ``(B, *S)`` by name, in the same order.
    """
    if points_per_pass is None:
        points_per_pass = copies_that_fit(batch.inputs)
    found: dict[str, Tensor] = {}
    for output in dict.fromkeys(prior.output for prior in priors.values()):
        names = [name for name, prior in priors.items() if prior.output == output]
        explainers = [priors[name].explainer for name in names]
        _, attributions = explain_batch(
            forward, batch, explainers, output=output, points_per_pass=points_per_pass
        )
        found |= {name: each.detach() for name, each in zip(names, attributions, strict=True)}
    return {name: found[name] for name in priors}


def _default(masker: Masker) -> dict[str, Prior]:
    explainers: dict[str, Explainer] = {
        "gradient": Gradient(),
        "input_x_gradient": InputXGradient(),
        "integrated_gradients": IntegratedGradients(50),
        "smooth_grad": SmoothGrad(50, seed=0),
        "expected_gradients": _expected_gradients(masker),
        "deep_lift": CaptumExplainer("DeepLift"),
    }
    removing = _removing(masker)
    of_logit = {name: Prior(each) for name, each in explainers.items()}
    integrated = Prior(explainers["integrated_gradients"], "prob")
    return {
        **of_logit,
        **{name: each for name, each in removing.items() if each.output != "prob"},
        "integrated_gradients_prob": integrated,
        **{name: each for name, each in removing.items() if each.output == "prob"},
    }


def _removing(masker: Masker) -> dict[str, Prior]:
    explainers: Mapping[str, Explainer] = {
        "occlusion": Occlusion(masker),
        "lime": Lime(masker=masker, similarity=_similarity(masker), seed=0),
        "kernel_shap": KernelShap(masker=masker, seed=0),
    }
    of_logit = {name: Prior(each) for name, each in explainers.items()}
    of_prob = {f"{name}_prob": Prior(each, "prob") for name, each in explainers.items()}
    return {**of_logit, **of_prob}


def _paper_image(masker: Masker, layer: str | None, background: Tensor | None) -> dict[str, Prior]:
    for argument, value in (("layer", layer), ("background", background)):
        if value is None:
            raise ValueError(f"{argument} must be given for the set 'paper_image', got None")
    assert layer is not None
    assert background is not None
    channels = background.shape[1]
    windows: dict[str, Any] = {
        "sliding_window_shapes": (channels, 50, 50),
        "strides": (channels, 25, 25),
    }
    return _of_logit(
        {
            "occlusion": CaptumExplainer("Occlusion", attribute_kwargs=windows),
            "lime": Lime(1000, masker=masker, seed=0),
            "kernel_shap": KernelShap(1000, masker=masker, seed=0),
            "saliency": CaptumExplainer("Saliency"),
            "input_x_gradient": InputXGradient(),
            "guided_backprop": CaptumExplainer("GuidedBackprop"),
            "grad_cam": GradCAM(layer),
            "score_cam": ScoreCAM(layer),
            "grad_cam_plus_plus": GradCAMPlusPlus(layer),
            "integrated_gradients": IntegratedGradients(30),
            "expected_gradients": ExpectedGradients(40, seed=0),
            "deep_lift": CaptumExplainer("DeepLift", method_kwargs={"eps": 1e-9}),
            "deep_lift_shap": CaptumExplainer(
                "DeepLiftShap", attribute_kwargs={"baselines": background}
            ),
            "lrp": CaptumExplainer("LRP"),
        }
    )


def _of_logit(explainers: Mapping[str, Explainer]) -> dict[str, Prior]:
    return {name: Prior(each, "logit") for name, each in explainers.items()}


def _expected_gradients(masker: Masker) -> ExpectedGradients:
    """Return the explainer; for texts, which have different lengths, from embeddings of zeros."""
    if isinstance(masker, TokenMasker):
        return ExpectedGradients(background=torch.zeros(1, 1, 1), seed=0)
    return ExpectedGradients(seed=0)


def _similarity(masker: Masker) -> Literal["inputs", "masks"]:
    """Return what LIME compares; for texts the removed tokens, because ids have no distances."""
    return "masks" if isinstance(masker, TokenMasker) else "inputs"
