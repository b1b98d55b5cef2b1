"""KernelSHAP and LIME of many rows, against Captum's, which explain one row after another."""

import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem
from benchmarks.shared.timing import interleaved
from pear_lightning.explainers import KernelShap, Lime, explain

ROWS = 500
THEIR_ROWS = 25  # Captum's time is proportional to the rows
COALITIONS = 200


def compare_explainers(
    problem: Problem, repetitions: int, now: Callable[[], float]
) -> list[dict[str, Any]]:
    """Time KernelSHAP and LIME on a table.

    Args:
        problem: Model and at least 500 rows.
        repetitions: How often.
        now: The clock.

    Returns:
        A record for each explainer; ``theirs`` is extrapolated from 25 rows.
    """
    ours, few = problem.first(ROWS), problem.first(THEIR_ROWS)
    records = []
    for name, explainer in (("KernelSHAP", KernelShap(COALITIONS)), ("LIME", Lime(COALITIONS))):
        functions: dict[str, Callable[[], Any]] = {
            "ours": lambda explainer=explainer: explain(
                ours.model, ours.inputs, ours.target, [explainer], output="logit"
            ),
            "theirs": _captum(name, few),
        }
        for function in functions.values():
            function()
        times = interleaved(functions, repetitions, now)
        seconds = {side: statistics.median(values) for side, values in times.items()}
        records.append(
            {
                "explainer": name,
                "rows": len(ours.inputs),
                "coalitions": COALITIONS,
                "their_rows": len(few.inputs),
                "ours": seconds["ours"],
                "theirs": seconds["theirs"] * len(ours.inputs) / len(few.inputs),
            }
        )
    return records


def _captum(name: str, problem: Problem) -> Callable[[], Tensor]:
    from captum.attr import KernelShap as CaptumKernelShap
    from captum.attr import Lime as CaptumLime

    method = {"KernelSHAP": CaptumKernelShap, "LIME": CaptumLime}[name](problem.model)

    def run() -> Tensor:
        rows = zip(problem.inputs.split(1), problem.target.split(1), strict=True)
        return torch.cat(
            [
                method.attribute(row, target=label, n_samples=COALITIONS, perturbations_per_eval=64)
                for row, label in rows
            ]
        )

    return run
