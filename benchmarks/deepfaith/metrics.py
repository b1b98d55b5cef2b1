"""The ten metrics, and explanations scored by them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.deepfaith.problem import Part, Problem
from pear_lightning.metrics import FaithfulnessSuite

Scores = dict[str, Tensor]
"""``(E, N)`` by metric."""


def suite_of(problem: Problem, names: Sequence[str], definition: str) -> FaithfulnessSuite:
    """Return the ten metrics.

    Args:
        problem: What is explained.
        names: Names of the explanations.
        definition: ``"library"`` or ``"deepfaith"``.
    """
    terms = problem.terms
    options: dict[str, Any] = {"n_steps": terms.n_steps, "subset_size": terms.subset_size}
    if definition == "deepfaith":
        return FaithfulnessSuite.deepfaith(problem.masker, names, progress=False, **options)
    return FaithfulnessSuite(problem.masker, names, progress=False, **options)


def scored(
    problem: Problem, part: Part, saliency: dict[str, Tensor], definition: str, cache: Path
) -> tuple[Scores, dict[str, bool]]:
    """Return the scores of explanations, from the cache where they are there.

    Args:
        problem: What is explained.
        part: Which samples.
        saliency: Explanations, ``(N, n)`` by name.
        definition: See :func:`suite_of`.
        cache: Folder of the scores, of explanations by name.

    Returns:
        Scores of all explanations by metric, and whether a higher one is better.
    """
    paths = {name: cache / f"score-{part}-{definition}-{name}.pt" for name in saliency}
    missing = [name for name, path in paths.items() if not path.exists()]
    if missing:
        suite, parts = suite_of(problem, missing, definition), []
        for number, batch in enumerate(problem.chunks(part)):
            rows = slice(number * problem.at_once, (number + 1) * problem.at_once)
            parts.append(
                suite.score(
                    problem.model,
                    batch.inputs,
                    {name: saliency[name][rows] for name in missing},
                    batch.classes,
                    forward_kwargs=batch.forward_kwargs,
                )
            )
        for row, name in enumerate(missing):
            each = {m: torch.cat([part[m][row] for part in parts]) for m in suite.metrics}
            torch.save(each, paths[name])
    loaded = [torch.load(path) for path in paths.values()]
    directions = suite_of(problem, list(saliency), definition).directions
    return {m: torch.stack([each[m] for each in loaded]) for m in directions}, directions
