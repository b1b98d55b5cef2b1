"""FastSHAP's headline: how many evaluations sampling estimates need to equal its error."""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.amortized.methods import METHODS, Fit, explainer_of
from benchmarks.amortized.settings import HEADLINE, HEADLINE_BUDGETS, TERMS
from benchmarks.amortized.task import Task, chosen
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.quiet_trainer import silence_lightning
from pear_lightning.explainers import Explainer, KernelShap, PermutationShap, explain

_BLOCK = 10
LEARNED = ("FastSHAP", "StochasticAmortization, KernelSHAP")


def headline(task: Task, seed: int, *, shrink: float = 1.0) -> Run:
    """Return the errors of learned and sampled Shapley values of the predicted class.

    Args:
        task: A task with so few features that all coalitions can be evaluated.
        seed: Seed of the training and of the coalitions.
        shrink: Factor of the budgets, for a trial.

    Returns:
        A record that can be written as JSON: errors are means over test samples of the squared
        distance to the exact values, relative to their mean squared norm.
    """
    silence_lightning()
    samples, seconds = HEADLINE[task.name]
    test = chosen(task.test, slice(0, samples))
    masker, n = task.masker, task.n_features
    exact = _values(task, test, KernelShap(2**n, masker=masker))
    norm = exact.square().sum(dim=1).mean()

    def error(found: Tensor) -> float:
        return float(f"{((found - exact).square().sum(dim=1).mean() / norm).item():.5g}")

    terms = TERMS[task.name]
    terms = replace(
        terms,
        evaluations=int(shrink * terms.evaluations * seconds / terms.seconds),
        seconds=shrink * seconds,
    )
    record: dict[str, Any] = {"task": task.name, "method": "headline", "seed": seed, "rows": None}
    record |= {"n_features": n, "samples": len(exact), "learned": {}, "sampled": {}}
    for name in LEARNED:
        torch.manual_seed(seed)
        fit = Fit(task, terms, task.train, seed)
        module = METHODS[name](fit)
        record["learned"][name] = {
            "error": error(_values(task, test, explainer_of(module))),
            "evaluations": fit.model.samples,
            "seconds": round(time.process_time() - fit.start, 1),
        }
    for name, kind in _samplers(task).items():
        torch.manual_seed(seed)
        budgets = [each for each in HEADLINE_BUDGETS if each < 2**n]
        record["sampled"][name] = {
            str(each): error(_values(task, test, kind(each))) for each in budgets
        }
    return record


def _samplers(task: Task) -> dict[str, Any]:
    masker = task.masker
    return {
        "KernelSHAP": lambda n: KernelShap(n, masker=masker, paired=False, exhaustive=False),
        "KernelSHAP, paired": lambda n: KernelShap(n, masker=masker, exhaustive=False),
        "permutations": lambda n: PermutationShap(n, masker=masker),
    }


def _values(task: Task, test: dict[str, Tensor], explainer: Explainer) -> Tensor:
    """Return values of the features, ``(N, n)``."""
    found = []
    for first in range(0, len(test["inputs"]), _BLOCK):
        block = chosen(test, slice(first, first + _BLOCK))
        with torch.no_grad():
            _, (each,) = explain(
                task.model,
                block["inputs"],
                block["target"],
                [explainer],
                output="prob",
                points_per_pass=1024,
            )
        found.append(task.masker.bind(block["inputs"]).pool(each))
    return torch.cat(found)
