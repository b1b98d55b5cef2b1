"""Samples, explained by priors."""

import time
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from benchmarks.deepfaith.priors import priors_of
from benchmarks.deepfaith.problem import Part, Problem
from benchmarks.shared.watched import Watched
from pear_lightning.explainers.prior_sets import explain_with_priors

Explained = dict[str, Any]
"""``saliency`` (N, n), ``seconds`` of processor time, ``evaluations``, of all samples."""


def explained_by_priors(problem: Problem, part: Part, cache: Path) -> dict[str, Explained]:
    """Return the explanations of all priors, from the cache where they are there.

    Args:
        problem: What is explained.
        part: Which samples.
        cache: Folder of the explanations.
    """
    found: dict[str, Explained] = {}
    for name, prior in track(priors_of(problem).items(), f"{problem.name}: priors ({part})"):
        path = cache / f"prior-{part}-{name}.pt"
        if not path.exists():
            torch.manual_seed(problem.seed)
            model, start, parts = Watched(problem.model).eval(), time.process_time(), []
            for batch in problem.chunks(part):
                given = explain_with_priors(model, batch, {name: prior}, points_per_pass=50)
                bound = problem.masker.bind(batch.inputs, batch.sample_data)
                parts.append(bound.pool(given[name]))
            saved = {
                "saliency": torch.cat(parts),
                "seconds": time.process_time() - start,
                "evaluations": model.samples,
            }
            torch.save(saved, path)
        found[name] = torch.load(path)
    return found
