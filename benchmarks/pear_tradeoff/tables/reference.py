"""Our numbers beside those of the independent implementation, and seed by seed."""

from collections.abc import Callable

import numpy as np

from benchmarks.pear_tradeoff.golden import GOLDEN
from benchmarks.pear_tradeoff.protocols import TRAINED_BY_THE_PAPER
from benchmarks.pear_tradeoff.records import TITLES, UNTRAINED, Pair, agreement, group, groups
from benchmarks.shared.finished_runs import Run, Runs
from benchmarks.shared.markdown import markdown


def _own(*pairs: Pair) -> Callable[[Run], float]:
    """Return what reads the agreement of pairs, test rows scaled with their own statistics."""
    return lambda run: agreement(run, pairs, own=True)


_OURS: dict[str, Callable[[Run], float]] = {
    "accuracy_own": lambda run: run["accuracy_own"],
    "accuracy_train": lambda run: run["accuracy"],
    "grad_intgrad": _own(TRAINED_BY_THE_PAPER),
    "lime_shap": _own(("LIME", "SHAP")),
    "smoothgrad_lime": _own(("SmoothGrad", "LIME")),
    "shap_grad": _own(("Grad", "SHAP")),
    "untrained": _own(*UNTRAINED),
    "fvu": lambda run: run["fvu"],
}
"""What is compared, by its name in the reference."""


def golden_table(runs: Runs) -> str:
    """Write this library's numbers beside those of the independent implementation."""
    rows = []
    for (data_set, name), golden in GOLDEN.items():
        chosen = group(runs, data_set, name)
        if not chosen:
            continue
        row = [f"{TITLES[data_set]}, {name}", f"{len(chosen)} / {golden.seeds}"]
        for key, value in _OURS.items():
            digits = 2 if key.startswith("accuracy") else 3
            reference = getattr(golden, key)
            ours = np.mean([value(run) for run in chosen])
            row.append(f"{ours:.{digits}f} / {reference:.{digits}f}")
        rows.append(row)
    header = ["ours / reference", "seeds", "accuracy, paper's scaling", "accuracy", "Grad-IntGrad"]
    header += ["LIME-SHAP", "SmoothGrad-LIME", "SHAP-Grad", "14 untrained", "FVU"]
    return markdown(header, rows)


def seeds_table(runs: Runs) -> str:
    """Write accuracy, trained PRA and consensus loss seed by seed (paper's scaling)."""
    pra = _OURS["grad_intgrad"]
    rows = [
        [
            f"{title}, {name}",
            ", ".join(f"{run['accuracy_own']:.2f}" for run in chosen),
            ", ".join(f"{pra(run):.3f}" for run in chosen),
            ", ".join(f"{run['consensus_own']:.4f}" for run in chosen),
        ]
        for title, name, chosen in groups(runs, ("paper λ=0", "paper λ=0.5"))
    ]
    return markdown(["seeds 0 to 4", "accuracy, %", "PRA Grad-IntGrad", "C"], rows)
