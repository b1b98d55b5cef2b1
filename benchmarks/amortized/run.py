"""One run: train a learned explainer, explain test samples, score the explanations."""

import time
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.amortized.methods import METHODS, Fit, explainer_of
from benchmarks.amortized.settings import KERNEL_SAMPLES, TERMS, Terms
from benchmarks.amortized.task import Task, chosen
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.quiet_trainer import silence_lightning
from benchmarks.shared.watched import Watched
from pear_lightning.explainers import (
    Explainer,
    IntegratedGradients,
    KernelShap,
    Occlusion,
    RandomAttributions,
    explain,
)
from pear_lightning.metrics import FaithfulnessSuite

_BLOCK = 50


def run(task: Task, method: str, seed: int, *, rows: int | None = None, shrink: float = 1.0) -> Run:
    """Train, explain and score.

    Args:
        task: The task.
        method: Name of the method.
        seed: Seed of the training.
        rows: Number of training rows; ``None`` for all.
        shrink: Factor of both budgets, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    silence_lightning()
    torch.manual_seed(seed)
    terms = TERMS[task.name]
    terms = replace(
        terms, evaluations=int(shrink * terms.evaluations), seconds=shrink * terms.seconds
    )
    record: dict[str, Any] = {
        "task": task.name,
        "method": method,
        "seed": seed,
        "rows": rows,
        "accuracy": task.accuracy,
        "n_features": task.n_features,
        "terms": asdict(terms),
    }
    explainer, model, training = _explainer(task, method, terms, seed, rows)
    attributions, cost = _explained(task, explainer, model)
    return record | training | cost | {"scores": _scores(task, attributions, terms)}


def _explainer(
    task: Task, method: str, terms: Terms, seed: int, rows: int | None
) -> tuple[Explainer, nn.Module, dict[str, Any]]:
    """Return the explainer, the model that it explains, and what its training took."""
    masker = task.masker
    if method not in METHODS:
        fixed: dict[str, Explainer] = {
            "KernelShap": KernelShap(KERNEL_SAMPLES, masker=masker),
            "Occlusion": Occlusion(masker),
            "IntegratedGradients": IntegratedGradients(20, _empty(task)),
            "Random": RandomAttributions(),
        }
        nothing = {"training_rows": 0, "evaluations": 0, "seconds": 0.0, "steps": 0}
        return fixed[method], task.model, nothing
    train = task.train
    if rows is not None:
        generator = torch.Generator().manual_seed(seed)
        index = torch.randperm(len(train["inputs"]), generator=generator)[:rows]
        train = chosen(train, index)
    fit = Fit(task, terms, train, seed)
    module: Any = METHODS[method](fit)
    training = {
        "training_rows": len(train["inputs"]),
        "evaluations": fit.model.samples,
        "seconds": round(time.process_time() - fit.start, 2),
        "steps": sum(fit.steps),
        "parameters": sum(each.numel() for each in module.parameters()),
    }
    model = module.backbone.eval() if method == "DiET" else task.model
    return explainer_of(module), model, training


def _empty(task: Task) -> Tensor:
    """Return an input without any feature, ``(*S)``."""
    inputs = task.train["inputs"][:1]
    kwargs = {key: each[:1] for key, each in task.train.items() if key == "attention_mask"}
    bound = task.masker.bind(inputs, kwargs)
    return bound.apply(torch.zeros(1, 1, bound.n_features, dtype=torch.bool))[0, 0]


def _explained(
    task: Task, explainer: Explainer, model: nn.Module
) -> tuple[Tensor, dict[str, float]]:
    """Return the saliency of the test samples, ``(N, n)``, and what it took."""
    watched = Watched(model).eval()
    count = len(task.test["inputs"])
    start, found = time.process_time(), []
    for first in range(0, count, _BLOCK):
        block = chosen(task.test, slice(first, first + _BLOCK))
        kwargs = {key: each for key, each in block.items() if key not in ("inputs", "target")}
        _, (each,) = explain(
            watched,
            block["inputs"],
            block["target"],
            [explainer],
            output="prob",
            forward_kwargs=kwargs,
        )
        bound = task.masker.bind(block["inputs"], kwargs)
        found.append(bound.pool(each.detach()))
    seconds = time.process_time() - start
    return torch.cat(found), {
        "ms_per_explanation": round(1000 * seconds / count, 4),
        # explain() returns the logits, too: one evaluation that is no part of the explanation
        "evaluations_per_explanation": round(watched.samples / count, 1) - 1,
    }


def _scores(task: Task, saliency: Tensor, terms: Terms) -> dict[str, float]:
    """Return the mean of each of the ten metrics over the test samples, on the explained model."""
    suite = FaithfulnessSuite(
        task.masker, ["it"], n_steps=20, subset_size=terms.subset_size, progress=False
    )
    parts = []
    for first in range(0, len(saliency), _BLOCK):
        block = chosen(task.test, slice(first, first + _BLOCK))
        kwargs = {key: each for key, each in block.items() if key not in ("inputs", "target")}
        parts.append(
            suite.score(
                task.model,
                block["inputs"],
                {"it": saliency[first : first + _BLOCK]},
                block["target"],
                forward_kwargs=kwargs,
            )
        )
    return {
        name: float(f"{torch.cat([part[name] for part in parts], dim=1).mean().item():.7g}")
        for name in suite.metrics
    }
