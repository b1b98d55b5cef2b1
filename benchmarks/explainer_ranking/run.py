"""One run of the ranking of explainers: train, explain, score; every part is kept."""

import random
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from benchmarks.explainer_ranking.data import load
from benchmarks.explainer_ranking.explainers import budget_explainers, explainers_of
from benchmarks.explainer_ranking.features import masker_of
from benchmarks.explainer_ranking.metrics import suite_of
from benchmarks.explainer_ranking.settings import CONTROLS, TERMS
from benchmarks.explainer_ranking.training import trained
from benchmarks.explainer_ranking.within_samples import metric_correlation_within_samples
from benchmarks.shared.data_set import Data
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.model_inputs import model_inputs
from benchmarks.shared.ranking_records import as_record, rounded
from benchmarks.shared.watched import Watched
from pear_lightning.explainers import Explainer, explain
from pear_lightning.masking import Masker, TokenMasker
from pear_lightning.metrics import ExplainerRanking


def run(
    name: str,
    kind: str,
    folder: Path,
    cache: Path,
    *,
    samples: int | None = None,
    max_epochs: int | None = None,
) -> Run:
    """Rank the explainers on one data set.

    Args:
        name: Name of the data set.
        kind: ``"papers"``, ``"deepfaith"`` or ``"other baseline"`` metrics; or ``"budget"``, which
            ranks KernelShap and Lime by their model evaluations.
        folder: Folder of the data.
        cache: Folder for weights, attributions and scores.
        samples: Number of test samples instead of the data set's own, for a trial.
        max_epochs: Upper limit on the epochs of the network, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    data = load(name, folder)
    model, training = trained(name, data, cache, max_epochs)
    terms = replace(TERMS[name], samples=samples or TERMS[name].samples)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(data.test.target), generator=generator)[: terms.samples]
    rows = data.test[chosen]
    inputs, kwargs = model_inputs(model, rows.inputs)
    with torch.no_grad():
        target = model(inputs, **kwargs).argmax(dim=1)
    if kind == "budget":
        explainers = budget_explainers(name, data)
    else:
        explainers = explainers_of(name, model, data, masker_of(name, data))
    attributions, seconds = _explained(name, explainers, model, data, inputs, kwargs, target, cache)
    attributions[CONTROLS[1]] = -attributions["IntegratedGradients"]
    return {
        "data_set": name,
        "terms": asdict(terms),
        **training,
        "accuracy_of_samples": round(100 * float((target == rows.target).float().mean()), 2),
        "ms_per_sample": {each: round(1000 * s / len(target), 2) for each, s in seconds.items()},
        **_scored(name, kind, model, data, inputs, kwargs, target, attributions, cache),
    }


def _explained(
    name: str,
    explainers: dict[str, Explainer],
    model: nn.Module,
    data: Data,
    inputs: Tensor,
    kwargs: dict[str, Tensor],
    target: Tensor,
    cache: Path,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return attributions of all samples by each explainer, and the CPU seconds that it took."""
    masker, size = masker_of(name, data), TERMS[name].batch_size
    attributions, seconds = {}, {}
    for label, explainer in track(explainers.items(), f"{name}: explaining"):
        path = cache / f"attributions-{label}-{len(inputs)}.pt"
        if not path.exists():
            torch.manual_seed(0)
            np.random.seed(0)  # Captum's GradientShap draws from it
            random.seed(0)
            start, parts = time.process_time(), []
            for batch in range(0, len(inputs), size):
                chosen = slice(batch, batch + size)
                given = {key: value[chosen] for key, value in kwargs.items()}
                _, (each,) = explain(
                    model,
                    inputs[chosen],
                    target[chosen],
                    [explainer],
                    forward_kwargs=given,
                    points_per_pass=50,
                )
                parts.append(_compact(masker, each.detach(), given))
            saved = {"values": torch.cat(parts), "seconds": time.process_time() - start}
            torch.save(saved, path)
        saved = torch.load(path)
        attributions[label], seconds[label] = saved["values"], saved["seconds"]
    return attributions, seconds


def _compact(masker: Masker, attributions: Tensor, kwargs: dict[str, Tensor]) -> Tensor:
    """Pool attributions of embeddings to tokens; images and rows stay as they are."""
    return masker.pool(attributions, **kwargs) if isinstance(masker, TokenMasker) else attributions


def _scored(
    name: str,
    kind: str,
    model: nn.Module,
    data: Data,
    inputs: Tensor,
    kwargs: dict[str, Tensor],
    target: Tensor,
    attributions: dict[str, Tensor],
    cache: Path,
) -> dict[str, Any]:
    """Return the ranking by one set of metrics, as a record."""
    masker = masker_of(name, data, other_baseline=kind == "other baseline")
    suite = suite_of(name, masker, list(attributions), kind)
    size, parts = TERMS[name].batch_size, []
    counted = Watched(model).eval()
    for batch in track(range(0, len(inputs), size), f"{name}: scoring ({kind})"):
        path = cache / f"scores-{kind}-{len(inputs)}-{batch}.pt"
        if not path.exists():
            chosen = slice(batch, batch + size)
            counted.reset()
            start = time.process_time()
            scores = suite.score(
                counted,
                inputs[chosen],
                {label: each[chosen] for label, each in attributions.items()},
                target[chosen],
                forward_kwargs={key: value[chosen] for key, value in kwargs.items()},
            )
            saved = {"seconds": time.process_time() - start, "rows": counted.samples}
            torch.save(saved | {"scores": scores}, path)
        parts.append(torch.load(path))
    scores = {
        metric: torch.cat([part["scores"][metric] for part in parts], dim=1)
        for metric in suite.metrics
    }
    ranking = ExplainerRanking.from_scores(scores, list(attributions), suite.directions)
    return {
        "kind": kind,
        "baseline": repr(masker.baseline),
        "scoring_ms_per_sample": round(1000 * sum(part["seconds"] for part in parts) / len(inputs)),
        "evaluations_per_sample": round(sum(part["rows"] for part in parts) / len(inputs)),
        **as_record(ranking),
        "within_samples": rounded(metric_correlation_within_samples(scores, suite.directions)),
    }
