"""The table of the six agreement metrics, and what its columns mean."""

from collections.abc import Iterable, Mapping
from typing import Literal

from lightning.pytorch import LightningModule
from rich.table import Table
from torch import Tensor

from pear_lightning.functional.agreement import TOP_K_NAMES
from pear_lightning.metrics import AgreementMatrix
from pear_lightning.modules import PEAR

MONITORED = "agreement/"
"""How AgreementMonitor begins its names."""

_MANY_PAIRS = 3


def table_of_agreements(
    logged: Mapping[str, Tensor],
    plain: Mapping[str, Tensor],
    groups: Iterable[str],
    name: str,
    matrix: AgreementMatrix,
) -> Table:
    """Return the table of the six agreement metrics, one column per group of pairs.

    Args:
        logged: Logged means by group and metric.
        plain: Those of the same network without PEAR; empty if it was not trained.
        groups: Prefixes of the means; those that were not logged are left out.
        name: Name of the module.
        matrix: The matrix of which the means are.
    """
    groups = [g for g in groups if f"{g}{matrix.metric_names[0]}" in logged]
    monitored = " (AgreementMonitor)" if MONITORED in groups else ""
    table = Table(title=f"agreement of explainers{monitored}")
    table.add_column("metric")
    for group in groups:
        table.add_column(_pairs(group), justify="right")
        if f"{group}{matrix.metric_names[0]}" in plain:
            table.add_column(f"without {name}", justify="right")
    chance = matrix.chance() if len(matrix.feature_counts) == 1 else {}
    if chance:
        table.add_column("chance", justify="right")
    for metric in matrix.metric_names:
        values = [
            f"{means[group + metric]:.3f}"
            for group in groups
            for means in (logged, plain)
            if group + metric in means
        ]
        values += [f"{chance[metric]:.3f}"] if chance else []
        of_top = f" (k = {matrix.k})" if metric in TOP_K_NAMES else ""
        table.add_row(metric.replace("_", " ") + of_top, *values)
    return table


def caption(
    stage: Literal["train", "val", "test"],
    groups: Iterable[str],
    module: LightningModule,
    matrix: AgreementMatrix,
) -> str:
    """Say what the pairs, the features and the chance level are.

    Args:
        stage: The evaluation.
        groups: Prefixes of the means of the matrix.
        module: The module.
        matrix: The matrix.
    """
    lines = [f"pairs of {', '.join(matrix.names)}"]
    if isinstance(module, PEAR) and MONITORED not in groups:
        pairs = module.compared_pairs("test" if stage == "test" else "val")
        lines = [f"{_pairs(group)}: {_named(each)}" for group, each in pairs.items()]
    counts = matrix.feature_counts
    if len(counts) == 1:
        lines.append(f"{counts[0]} features; chance: agreement of unrelated explanations")
    elif counts:
        lines.append(f"{counts[0]} to {counts[-1]} features")
    return "\n".join(lines).replace("_", " ")


def _pairs(group: str) -> str:
    return f"{'' if group == MONITORED else group.removesuffix('_')} pairs".strip()


def _named(pairs: list[tuple[str, str]]) -> str:
    if len(pairs) <= _MANY_PAIRS:
        return ", ".join(f"{a} with {b}" for a, b in pairs)
    names = dict.fromkeys(name for pair in pairs for name in pair)
    return f"{len(pairs)} pairs of {', '.join(names)}"
