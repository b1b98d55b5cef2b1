"""The explanation losses that the right-reasons benchmark compares, by name."""

from collections.abc import Callable

from pear_lightning.losses import (
    CDEPLoss,
    CoRMLoss,
    CounterexamplesLoss,
    EnergyLoss,
    ExplanationLoss,
    HINTLoss,
    IBPExLoss,
    PGDExLoss,
    PGDR4Loss,
    R4Loss,
    RandR4Loss,
    RBRIdentityHessianLoss,
    RightReasonsLoss,
    RRRGLoss,
    SimplifiedHINTLoss,
)

LAST_MAP = "3"
"""Name of the last map of the benchmark's convolutional network."""


def make_loss(name: str) -> ExplanationLoss:
    """Make a loss.

    Args:
        name: A name of :data:`LOSSES`.

    Raises:
        ValueError: If there is none of this name.
    """
    if name not in LOSSES:
        raise ValueError(f"loss is {name!r}: one of {list(LOSSES)} is expected")
    return LOSSES[name]()


def _expected_gradients() -> ExplanationLoss:
    from pear_lightning.explainers import ExpectedGradients

    return RightReasonsLoss(
        norm="l1",
        output="log_prob",
        explainers={"expected gradients": ExpectedGradients(n_samples=1)},
    )


def _hint() -> ExplanationLoss:
    from pear_lightning.explainers import GradCAM

    return HINTLoss(explainers={"grad_cam": GradCAM(LAST_MAP, relu=False, resize=False)})


LOSSES: dict[str, Callable[[], ExplanationLoss]] = {
    "rrr": RightReasonsLoss,
    "label": lambda: RightReasonsLoss(output="log_prob"),
    "predicted": lambda: RightReasonsLoss(output="max_log_prob"),
    "logits_l2": lambda: RightReasonsLoss(output="sum_logit", norm="l2"),
    "rrr_l1": lambda: RightReasonsLoss(norm="l1"),
    "expected": _expected_gradients,
    "r4": lambda: R4Loss(eps=0.1),
    "pgd_r4": lambda: PGDR4Loss(eps=0.1, n_steps=2),
    "ibp_ex": lambda: IBPExLoss(eps=0.1),
    "ibp_ex, eps=1": lambda: IBPExLoss(eps=1.0),
    "cdep": lambda: CDEPLoss("logit"),
    "rrr_g": lambda: RRRGLoss(LAST_MAP),
    "simplified_hint": lambda: SimplifiedHINTLoss(LAST_MAP),
    "hint": _hint,
    "rand_r4": lambda: RandR4Loss(eps=0.1),
    "rbr": RBRIdentityHessianLoss,
    "energy": EnergyLoss,
    "counterexamples": CounterexamplesLoss,
    "corm": CoRMLoss,
    "pgd_ex": lambda: PGDExLoss(eps=1.0, n_steps=2),
}
