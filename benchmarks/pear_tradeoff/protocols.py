"""The explainers that the PEAR benchmark trains and compares."""

from itertools import combinations

from pear_lightning.explainers import (
    Explainer,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    RandomAttributions,
    SmoothGrad,
)

ROWS = 500
TOP_K = 5
PAPER = ("Grad", "IntGrad", "SmoothGrad", "Grad*Input", "LIME", "SHAP")
"""Protocol A, the paper's: slopes, and contributions from two baselines."""

ALIGNED = ("Grad*(x-b)", "IntGrad*(x-b)", "SmoothGrad*(x-b)", "LIME(b)", "SHAP(b)")
"""Protocol B: contributions of every feature measured from one baseline, the training mean."""

RANDOM = "Random"
TRAINED_BY_THE_PAPER = ("Grad", "IntGrad")


def paper_protocol() -> dict[str, Explainer]:
    """Return the explainers of the paper with its settings, and random attributions."""
    return {
        "Grad": Gradient(),
        "IntGrad": IntegratedGradients(20, "mean", multiply_by_inputs=False),
        "SmoothGrad": SmoothGrad(10, 1.0),
        "Grad*Input": InputXGradient("zeros"),
        "LIME": Lime(200, "zeros", alpha=1e-4, exhaustive=False),
        "SHAP": KernelShap(200, "mean", paired=False, exhaustive=False),
        RANDOM: RandomAttributions(),
    }


def aligned_protocol() -> dict[str, Explainer]:
    """Return explainers of one quantity; LIME and SHAP use all 2^n masks, for n up to 8."""
    return {
        "Grad*(x-b)": InputXGradient("mean"),
        "IntGrad*(x-b)": IntegratedGradients(20, "mean"),
        "SmoothGrad*(x-b)": SmoothGrad(50, 0.1, multiply_by_inputs=True, baseline="mean"),
        "LIME(b)": Lime(256, "mean", alpha=1e-4),
        "SHAP(b)": KernelShap(256, "mean"),
    }


def training_explainers(names: tuple[str, ...], nodes: int) -> dict[str, Explainer]:
    """Return explainers to train, by their names in the protocols.

    Args:
        names: Names in one of the protocols.
        nodes: Query points of integrated gradients.

    Returns:
        Explainers by name.
    """
    known = {**paper_protocol(), **aligned_protocol()}
    known["IntGrad"] = IntegratedGradients(nodes, "mean", multiply_by_inputs=False)
    known["IntGrad*(x-b)"] = IntegratedGradients(nodes, "mean")
    known["IntGrad*Input"] = IntegratedGradients(nodes, "zeros")  # trained only
    known["SmoothGrad"] = SmoothGrad(3, 1.0)
    return {name: known[name] for name in names}


def pairs_of(protocol: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return all pairs of a protocol's explainers."""
    return list(combinations(protocol, 2))
