"""What the PEAR benchmark trains: named settings, in the order in which they are run."""

from dataclasses import dataclass, replace
from typing import Literal

from pear_lightning.datamodules import BankMarketing, CaliforniaHousing, Electricity

DATA_SETS = {
    "bank": BankMarketing,
    "california": CaliforniaHousing,
    "electricity": Electricity,
}
"""The three data sets of the paper, from its own files."""

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.95)
"""Consensus weights of the trade-off curve."""


@dataclass(frozen=True)
class Setting:
    """One way to train a model; the defaults are the paper's.

    Attributes:
        group: Part of the benchmark it belongs to.
        model: ``"mlp"``, ``"encoded_mlp"`` (``encoded_mlp.py``), ``"linear"``,
            ``"logistic_regression"`` or ``"xgboost"``.
        baseline: Name of the setting that differs in λ = 0 only.
        weight: λ, the share of the consensus loss.
        spearman: μ, the share of its Spearman term.
        explainers: Names of the explainers that are trained to agree (``protocols.py``).
        nodes: Query points of integrated gradients in training.
        normalize: Scaling of a row before it is ranked.
        strength: Strength of the soft rank; ``None`` is the library's default.
        warmup: Share of the epochs over which λ rises from 0.
        epochs: Training epochs; ``None`` is the paper's: 30 for λ of 0 and 0.25, else 50.
        batch_size: Rows of a training batch.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        cosine: Whether the learning rate falls to 0 along a half cosine.
        scaling: Scaling of the features, by statistics of the training rows.
        hidden: Width of each hidden layer.
        activation: Activation of the hidden layers.
        junk: Whether to append as many columns of noise as there are features.
    """

    group: str = "paper"
    model: Literal["mlp", "encoded_mlp", "linear", "logistic_regression", "xgboost"] = "mlp"
    baseline: str = "paper λ=0"
    weight: float = 0.5
    spearman: float = 0.75
    explainers: tuple[str, ...] = ("Grad", "IntGrad")
    nodes: int = 20
    normalize: Literal["max", "none"] = "none"
    strength: float | None = 0.2
    warmup: float = 0.0
    epochs: int | None = None
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 2e-4
    cosine: bool = False
    scaling: Literal["minmax", "quantile", "standard"] = "minmax"
    hidden: tuple[int, ...] = (100, 100, 100)
    activation: Literal["relu", "softplus", "silu"] = "relu"
    junk: bool = False

    @property
    def n_epochs(self) -> int:
        """Training epochs."""
        if self.epochs is not None:
            return self.epochs
        return 30 if self.weight in (0.0, 0.25) else 50


def _settings() -> dict[str, Setting]:
    paper = Setting()
    settings = {f"paper λ={weight:g}": replace(paper, weight=weight) for weight in WEIGHTS}
    linear = Setting("reference", "linear", weight=0, epochs=10, learning_rate=0.1)
    settings["linear"] = linear
    settings["logistic regression"] = Setting("reference", "logistic_regression", weight=0)
    settings["xgboost"] = Setting("reference", "xgboost", weight=0)
    settings |= {
        f"ablation μ={mu:g}": replace(paper, group="ablation", spearman=mu) for mu in (0, 0.5, 1)
    }
    settings |= {
        f"junk λ={weight:g}": replace(paper, group="junk", weight=weight, junk=True)
        for weight in (0.0, 0.5)
    }
    settings |= {
        f"decay {decay:g}": replace(paper, group="decay", weight=0.0, weight_decay=decay)
        for decay in (0.3, 1.0, 3.0)
    }
    return settings | _beyond()


def _beyond() -> dict[str, Setting]:
    """Return settings that go beyond the paper: 3 nodes, normalised ranks, a faster schedule."""
    fast = Setting(
        group="beyond",
        baseline="minmax, λ=0",
        nodes=3,
        normalize="max",
        strength=None,
        epochs=50,
        batch_size=256,
        learning_rate=2e-3,
        cosine=True,
    )
    contributions = ("Grad*(x-b)", "IntGrad*(x-b)")
    quantile = replace(fast, scaling="quantile", baseline="quantile, λ=0")
    encoded = replace(
        quantile,
        model="encoded_mlp",
        baseline="encoded, λ=0",
        explainers=contributions,
        epochs=40,
        learning_rate=3e-3,
        weight_decay=0.1,
    )
    both = ("Grad", "Grad*Input")
    three = ("Grad", "IntGrad", "Grad*Input")
    four = ("Grad", "IntGrad", "IntGrad*Input", "IntGrad*(x-b)")
    return {
        "minmax, λ=0": replace(fast, weight=0.0),
        "minmax, slope + Grad*Input, λ=0.25": replace(
            fast, explainers=both, weight=0.25, spearman=1.0
        ),
        "minmax, slopes + Grad*Input, λ=0.25": replace(
            fast, explainers=three, weight=0.25, spearman=1.0
        ),
        "minmax, contributions, λ=0.25": replace(fast, explainers=contributions, weight=0.25),
        "minmax, contributions, λ=0.35": replace(fast, explainers=contributions, weight=0.35),
        "quantile, λ=0": replace(quantile, weight=0.0),
        "quantile, contributions, λ=0.35": replace(quantile, explainers=contributions, weight=0.35),
        "quantile, contributions, λ=0.6": replace(quantile, explainers=contributions, weight=0.6),
        "quantile, slopes, λ=0.5": replace(quantile, weight=0.5, spearman=1.0),
        "quantile, slopes, λ=0.75": replace(quantile, weight=0.75),
        "quantile, contributions, λ=0.25": replace(quantile, explainers=contributions, weight=0.25),
        "quantile, slopes + Grad*Input, λ=0.15": replace(
            quantile, explainers=three, weight=0.15, spearman=1.0
        ),
        "quantile, slopes + Grad*Input, λ=0.3": replace(
            quantile, explainers=three, weight=0.3, spearman=1.0
        ),
        "quantile, slopes + Grad*Input, λ=0.5": replace(
            quantile, explainers=three, weight=0.5, spearman=1.0
        ),
        "quantile, two baselines, λ=0.4": replace(
            quantile, explainers=four, weight=0.4, spearman=1.0
        ),
        "quantile, two baselines, λ=0.6": replace(
            quantile, explainers=four, weight=0.6, spearman=1.0
        ),
        "encoded, λ=0": replace(encoded, weight=0.0),
        "encoded, contributions, λ=0.25": replace(encoded, weight=0.25),
    }


SETTINGS: dict[str, Setting] = _settings()
"""All settings by name."""
