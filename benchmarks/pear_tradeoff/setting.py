"""One way to train a model in the PEAR benchmark."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Setting:
    """One way to train a model; the defaults are the paper's.

    Attributes:
        group: Part of the benchmark it belongs to.
        model: ``"mlp"``, ``"encoded"`` (``encoded_mlp.py``), ``"ensemble"`` (``ensemble.py``),
            ``"linear"``, ``"logistic_regression"`` or ``"xgboost"``.
        baseline: Name of the setting that differs in λ = 0 only.
        data_sets: Data sets it is trained on; empty for all.
        seeds: Number of seeds at most; one for what is only tried.
        held_out: Share of the training rows that are held out to choose among settings.
        weight: λ, the share of the consensus loss.
        spearman: μ, the share of its Spearman term.
        output: Explained scalar in training, ``"logit"`` or ``"centered_logit"``.
        explainers: Names of the explainers that are trained to agree (``protocols.py``).
        nodes: Query points of integrated gradients in training.
        coalitions: Coalitions of LIME and KernelSHAP in training.
        rows: Share of a batch's rows on which the consensus loss is computed.
        every: The consensus loss is computed at every q-th step.
        normalize: Scaling of a row before it is ranked.
        strength: Strength of the soft rank; ``None`` is the library's default.
        epochs: Training epochs; ``None`` is the paper's: 30 for λ of 0 and 0.25, else 50.
        batch_size: Rows of a training batch.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        cosine: Whether the learning rate falls to 0 along a half cosine.
        scaling: Scaling of the features, by statistics of the training rows.
        hidden: Width of each hidden layer.
        dropout: Rate of dropout.
        teacher: Whether the labels are XGBoost's probabilities, on training rows and on rows made
            from pairs of them (``distillation.py``).
        junk: Whether to append as many columns of noise as there are features.
    """

    group: str = "paper"
    model: Literal["mlp", "encoded", "ensemble", "linear", "logistic_regression", "xgboost"] = "mlp"
    baseline: str = "paper λ=0"
    data_sets: tuple[str, ...] = ()
    seeds: int = 5
    held_out: float = 0.0
    weight: float = 0.5
    spearman: float = 0.75
    output: Literal["logit", "centered_logit"] = "logit"
    explainers: tuple[str, ...] = ("Grad", "IntGrad")
    nodes: int = 20
    coalitions: int = 32
    rows: float | None = None
    every: int = 1
    normalize: Literal["max", "none"] = "none"
    strength: float | None = 0.2
    epochs: int | None = None
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 2e-4
    cosine: bool = False
    scaling: Literal["minmax", "quantile", "standard"] = "minmax"
    hidden: tuple[int, ...] = (100, 100, 100)
    dropout: float = 0.0
    teacher: bool = False
    junk: bool = False

    @property
    def n_epochs(self) -> int:
        """Training epochs."""
        if self.epochs is not None:
            return self.epochs
        return 30 if self.weight in (0.0, 0.25) else 50

    @property
    def is_network(self) -> bool:
        """Whether a network is trained, which can be explained."""
        return self.model not in ("logistic_regression", "xgboost")
