"""What the PEAR benchmark trains: named settings, in the order in which they are run."""

from dataclasses import replace

from benchmarks.pear_tradeoff.setting import Setting

PAPER_DATA_SETS = ("bank", "california", "electricity")
"""The three data sets of the paper, from its own files."""

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.95)
"""Consensus weights of the paper's curve."""

GRADIENTS = ("Grad*(x-b)", "IntGrad*(x-b)")
PERTURBATION = ("Occlusion(b)", "LIME(b)")
"""Sets of explainers, all of contributions from the training mean, that are trained to agree."""


def _paper() -> dict[str, Setting]:
    """Return the paper's grid, trained on the logit, and on the centred logit."""
    paper = Setting(data_sets=PAPER_DATA_SETS)
    linear = replace(paper, group="reference", model="linear", weight=0, epochs=10)
    trees = replace(paper, group="reference", model="xgboost", weight=0)
    return {
        **{f"paper λ={weight:g}": replace(paper, weight=weight) for weight in WEIGHTS},
        "paper, centred, λ=0.5": replace(paper, group="centred", output="centered_logit"),
        "linear": replace(linear, learning_rate=0.1),
        "logistic regression": replace(trees, model="logistic_regression", data_sets=()),
        "xgboost": replace(trees, data_sets=()),
    }


def _checks() -> dict[str, Setting]:
    """Return the checks of the paper's settings: share of Spearman, junk, weight decay."""
    paper = Setting(data_sets=PAPER_DATA_SETS)
    return {
        **{
            f"ablation μ={mu:g}": replace(
                paper, group="ablation", spearman=mu, data_sets=("california",)
            )
            for mu in (0, 0.5, 1)
        },
        **{
            f"junk λ={weight:g}": replace(
                paper, group="junk", weight=weight, junk=True, data_sets=("bank", "california")
            )
            for weight in (0.0, 0.5)
        },
        **{
            f"decay {decay:g}": replace(paper, group="decay", weight=0.0, weight_decay=decay)
            for decay in (0.3, 1.0, 3.0)
        },
    }


FAST = Setting(
    group="beyond",
    baseline="plain",
    held_out=0.2,
    output="centered_logit",
    explainers=GRADIENTS,
    nodes=3,
    rows=0.25,
    normalize="max",
    strength=None,
    epochs=50,
    batch_size=256,
    learning_rate=2e-3,
    cosine=True,
    scaling="quantile",
)
"""Beyond the paper: quantile scaling, contributions, 3 nodes, normalised ranks, a schedule."""


def _beyond() -> dict[str, Setting]:
    """Return the settings among which the held-out rows choose."""
    sets = {
        "gradients": (GRADIENTS, (0.25, 0.35, 0.5, 0.7)),
        "perturbation": (PERTURBATION, (0.35, 0.5, 0.65)),
        "both": ((*GRADIENTS, "LIME(b)"), (0.25, 0.35, 0.5)),
    }
    cheap = replace(FAST, rows=0.125, every=4)  # the shipped configurations
    logit = replace(FAST, group="logit", output="logit", rows=None)
    three = replace(FAST, explainers=("Grad", "IntGrad", "Grad*Input"), spearman=1.0)
    three = replace(three, group="slopes", data_sets=PAPER_DATA_SETS)
    two = ("Grad", "IntGrad", "IntGrad*Input", "IntGrad*(x-b)")
    return {
        "plain": replace(FAST, weight=0.0),
        **{
            f"{name} λ={weight:g}": replace(FAST, explainers=members, weight=weight)
            for name, (members, weights) in sets.items()
            for weight in weights
        },
        **{f"cheap λ={w:g}": replace(cheap, weight=w) for w in (0.15, 0.25, 0.35, 0.5)},
        **{f"logit, gradients λ={w:g}": replace(logit, weight=w) for w in (0.25, 0.35)},
        **{
            f"slopes + Grad*Input λ={weight:g}": replace(three, weight=weight)
            for weight in (0.15, 0.3, 0.5, 0.7)
        },
        "slopes λ=0.5": replace(three, weight=0.5, explainers=("Grad", "IntGrad")),
        "two baselines λ=0.4": replace(three, weight=0.4, explainers=two),
    }


def _levers() -> dict[str, Setting]:
    """Return one setting over the share of rows and of steps on which it is regularised."""
    lever = replace(FAST, group="levers", weight=0.35, data_sets=PAPER_DATA_SETS)
    return {
        f"{'all' if share == 1 else f'{share:g}'} rows, every {step}": replace(
            lever, rows=None if share == 1 else share, every=step
        )
        for share in (1, 0.25, 0.125)
        for step in (1, 4)
        if (share, step) not in ((0.25, 1), (0.125, 4))  # "gradients λ=0.35", "cheap λ=0.35"
    }


def _near_trees() -> dict[str, Setting]:
    """Return networks that are to come close to XGBoost, and their agreement."""
    encoded = replace(
        FAST,
        group="trees",
        model="encoded",
        baseline="encoded, plain",
        learning_rate=3e-3,
        weight_decay=0.1,
        data_sets=("california", "electricity"),
    )
    ensemble = replace(encoded, model="ensemble", dropout=0.1, rows=0.125, every=4)
    networks = {
        "encoded": encoded,
        "ensemble": replace(ensemble, baseline="ensemble, plain"),
        "distilled": replace(encoded, baseline="distilled, plain", teacher=True),
        "distilled ensemble": replace(ensemble, baseline="distilled ensemble, plain", teacher=True),
    }
    both = (*GRADIENTS, "LIME(b)")
    settings = {
        "xgboost, held out": replace(
            FAST, group="trees", model="xgboost", weight=0, data_sets=encoded.data_sets
        )
    }
    for name, network in networks.items():
        # of the most accurate one on California Housing, all seeds; of the others, one
        best = name == "distilled ensemble"
        seeds = 5 if best else 1
        settings[f"{name}, plain"] = replace(network, weight=0.0, seeds=seeds)
        for weight in (0.25, 0.3, 0.35) if best else (0.25, 0.5):
            settings[f"{name}, both λ={weight:g}"] = replace(
                network, explainers=both, weight=weight, seeds=seeds, data_sets=("california",)
            )
    return settings


SETTINGS: dict[str, Setting] = _beyond() | _paper() | _levers() | _checks() | _near_trees()
"""All settings by name."""
