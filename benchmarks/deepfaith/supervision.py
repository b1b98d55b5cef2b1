"""Explanations that the paper's recipe imitates."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.deepfaith.metrics import suite_of
from benchmarks.deepfaith.priors import priors_of
from benchmarks.deepfaith.problem import Problem
from benchmarks.deepfaith.rows import Rows, as_mapping
from benchmarks.shared.quiet_trainer import quiet_trainer
from pear_lightning.functional.explanation_selection import select_explanations
from pear_lightning.modules import PriorExplanations


def scored_priors(problem: Problem, cache: Path) -> dict[str, Any]:
    """Return explanations of training samples by all priors, and their scores by ten metrics.

    Args:
        problem: What is explained.
        cache: Folder of the explanations.

    Returns:
        ``saliency`` (N, K, n), ``scores`` (N, K, 10), ``metrics``, ``up`` (10,), ``evaluations``
        and ``seconds`` of processor time.
    """
    path = cache / "supervision.pt"
    if not path.exists():
        module = PriorExplanations(
            problem.model,
            problem.masker,
            priors_of(problem, small=False),
            suite=lambda masker, names: suite_of(problem, names, "library"),
            points_per_pass=50,
        )
        samples = problem.parts["train"].rows(slice(problem.terms.supervised))
        slices = [list(each) for each in torch.arange(len(samples)).split(problem.at_once)]
        loader = DataLoader(Rows(as_mapping(samples)), batch_size=None, sampler=slices)
        start = time.process_time()
        batches: Any = quiet_trainer(accelerator="cpu").predict(module, loader)
        saved = {
            "saliency": torch.cat([each["saliency"] for each in batches]),
            "scores": torch.cat([each["scores"] for each in batches]),
            "metrics": list(module.metrics),
            "up": torch.tensor([module.suite.directions[each] for each in module.metrics]),
            "evaluations": sum(each["evaluations"] for each in batches),
            "seconds": time.process_time() - start,
        }
        torch.save(saved, path)
    found: dict[str, Any] = torch.load(path)
    return found


def labels_of(
    found: dict[str, Any], rules: dict[str, Any], held_out: Sequence[str] = ()
) -> tuple[torch.Tensor, torch.Tensor, dict[str, int]]:
    """Select explanations.

    Args:
        found: Scored explanations of the priors.
        rules: Rules of the selection.
        held_out: Metrics that do not select.

    Returns:
        Numbers of the samples ``(M,)``, an explanation of each ``(M, n)``, and counts.
    """
    seen = torch.tensor([name not in held_out for name in found["metrics"]])
    selection = select_explanations(
        found["saliency"], found["scores"][:, :, seen], found["up"][seen], **rules
    )
    sample, method = selection.survivors.nonzero(as_tuple=True)
    counts = {
        "supervised_samples": len(selection.survivors),
        "labels": len(sample),
        "without_survivor": int(selection.without.sum()),
    }
    return sample, found["saliency"][sample, method], counts
