"""The explainers that the PEAR benchmark trains and compares."""

from collections.abc import Sequence
from itertools import combinations

from torch import Tensor

from pear_lightning.explainers import (
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
from pear_lightning.masking import Masker

ROWS = 500
TOP_K = 5
PAPER = ("Grad", "IntGrad", "SmoothGrad", "Grad*Input", "LIME", "SHAP")
"""Protocol A, the paper's: slopes, and contributions from two baselines."""

ALIGNED = ("Grad*(x-b)", "IntGrad*(x-b)", "SmoothGrad*(x-b)", "LIME(b)", "SHAP(b)")
"""Protocol B: contributions of every feature measured from one baseline, the training mean."""

RANDOM = "Random"
TRAINED_BY_THE_PAPER = ("Grad", "IntGrad")


def paper_protocol(mean: Tensor) -> dict[str, Explainer]:
    """Return the explainers of the paper with its settings, and random attributions.

    Args:
        mean: Mean of the training rows, ``(n,)``.
    """
    return {
        "Grad": Gradient(),
        "IntGrad": IntegratedGradients(20, mean, multiply_by_inputs=False),
        "SmoothGrad": SmoothGrad(10, 1.0),
        "Grad*Input": InputXGradient("zeros"),
        "LIME": Lime(200, "zeros", alpha=1e-4, exhaustive=False),
        "SHAP": KernelShap(200, mean, paired=False, exhaustive=False),
        RANDOM: RandomAttributions(),
    }


def aligned_protocol(mean: Tensor, masker: Masker) -> dict[str, Explainer]:
    """Return explainers of one quantity; LIME and SHAP use all 2^n masks, for n up to 8.

    Args:
        mean: Mean of the training rows, ``(n,)``.
        masker: The features; removed ones take their training means.
    """
    masks = 256 if masker.n_features <= 8 else 1024
    return {
        "Grad*(x-b)": InputXGradient(mean),
        "IntGrad*(x-b)": IntegratedGradients(20, mean),
        "SmoothGrad*(x-b)": SmoothGrad(50, 0.1, multiply_by_inputs=True, baseline=mean),
        "LIME(b)": Lime(masks, masker=masker, alpha=1e-4),
        "SHAP(b)": KernelShap(masks, masker=masker),
    }


def training_explainers(
    names: Sequence[str], nodes: int, coalitions: int, mean: Tensor, masker: Masker
) -> dict[str, Explainer]:
    """Return explainers to train, by their names in the protocols.

    Args:
        names: Names in one of the protocols, or ``"IntGrad*Input"`` or ``"Occlusion(b)"``.
        nodes: Query points of integrated gradients.
        coalitions: Coalitions of LIME and SHAP.
        mean: Mean of the training rows, ``(n,)``.
        masker: The features; removed ones take their training means.

    Returns:
        Explainers by name.
    """
    known: dict[str, Explainer] = {
        "Grad": Gradient(),
        "IntGrad": IntegratedGradients(nodes, mean, multiply_by_inputs=False),
        "Grad*Input": InputXGradient("zeros"),
        "Grad*(x-b)": InputXGradient(mean),
        "IntGrad*(x-b)": IntegratedGradients(nodes, mean),
        "IntGrad*Input": IntegratedGradients(nodes, "zeros"),
        "Occlusion(b)": Occlusion(masker),
        "LIME(b)": Lime(coalitions, masker=masker, penalty="ridge", exhaustive=False),
        "SHAP(b)": KernelShap(coalitions, masker=masker, exhaustive=False),
    }
    return {name: known[name] for name in names}


def pairs_of(protocol: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return all pairs of a protocol's explainers."""
    return list(combinations(protocol, 2))
