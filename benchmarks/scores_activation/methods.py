"""How the models of the ScoresActivation benchmark are trained."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """How a model is trained, and where its scores come from.

    Attributes:
        kind: ``"none"``, ``"softmax"``, ``"cancel_out"``, ``"stg"`` or ``"deep_lasso"``.
        options: Of the gate, or of ``DeepLasso``.
        lr_multiplier: Learning rate of the gate over that of the network.
        weight_decay: Of the network.
        cosine: Lower the learning rates to 0 along a cosine.
        oracle: Train on the relevant features only, as if somebody had told which they are.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    lr_multiplier: float = 10.0
    weight_decay: float = 0.0
    cosine: bool = False
    oracle: bool = False


NONE, DEFAULT, TUNED = "no gate", "ScoresActivation", "ScoresActivation, tuned"
ALIGNED = "ScoresActivation, aligned"
DECAYED, ORACLE = "no gate, decay", "relevant features only"
DECAY = 1.0
"""Weight decay of the tuned methods, at a learning rate of 1e-3."""

METHODS = {
    NONE: Method("none"),
    DECAYED: Method("none", weight_decay=DECAY),
    ORACLE: Method("none", oracle=True),
    DEFAULT: Method("softmax"),
    # these two were chosen on seeds 0 to 5, out of about 30 settings; see the notes
    TUNED: Method("softmax", {"rescale": 0.5}, lr_multiplier=30, weight_decay=DECAY),
    ALIGNED: Method("softmax", {"rescale": 0.25}, lr_multiplier=30, weight_decay=DECAY),
    "ScoresActivation, rate x1": Method("softmax", lr_multiplier=1),
    "ScoresActivation, instance-wise": Method("softmax", {"instance_wise": True}),
    "CancelOut": Method("cancel_out", lr_multiplier=5),
    "CancelOut, decay": Method("cancel_out", lr_multiplier=30, weight_decay=DECAY),
    "STG": Method("stg", {"sparsity_weight": 0.1}, lr_multiplier=1),
    "STG, decay": Method("stg", {"sparsity_weight": 0.1}, lr_multiplier=1, weight_decay=DECAY),
    "Deep Lasso": Method("deep_lasso", {"weight": 0.5}),
    "Deep Lasso, decay": Method("deep_lasso", {"weight": 0.5}, weight_decay=DECAY),
}

GAIN_METHODS = [NONE, DECAYED, ORACLE, DEFAULT, TUNED]
SHORT = [NONE, DEFAULT, TUNED, "CancelOut", "STG", "Deep Lasso"]
SCORING = [*SHORT, ALIGNED, DECAYED, "STG, decay"]
FURTHER = [name for name in METHODS if name not in (*SCORING, ORACLE)]
