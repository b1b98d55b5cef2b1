"""One model of the ScoresActivation benchmark: train it, then look at its scores."""

import time
from dataclasses import asdict

import torch
from torch import Tensor

from benchmarks.scores_activation.best_features import KEPT, retrained
from benchmarks.scores_activation.data import table_of
from benchmarks.scores_activation.fit import fit
from benchmarks.scores_activation.jobs import Job
from benchmarks.scores_activation.methods import METHODS, NONE
from benchmarks.scores_activation.scores import scores_of
from benchmarks.scores_activation.shap_values import BACKGROUND, ROWS, shap_importance
from benchmarks.scores_activation.table_settings import TABLES
from benchmarks.scores_activation.training import performance
from benchmarks.scores_activation.tree_importance import tree_importance
from benchmarks.shared.finished_runs import Run
from benchmarks.shared.table_rows import table_rows
from pear_lightning.datamodules import InvaseSynthetic
from pear_lightning.functional import false_discovery_rate, true_discovery_rate


def run_job(job: Job, data_dir: str | None, max_epochs: int | None = None) -> Run:
    """Train one model and measure everything that the report shows.

    Args:
        job: The model.
        data_dir: Folder of the real tables.
        max_epochs: Upper limit on the epochs, for a trial.

    Returns:
        A record that can be written as JSON.
    """
    start = time.perf_counter()
    table, method = TABLES[job.table], METHODS[job.method]
    data = table_of(job.table, job.data_seed, data_dir)
    inputs, target = table_rows(data, "train")
    if job.bootstrap is not None:
        generator = torch.Generator().manual_seed(job.bootstrap)
        chosen = torch.randint(len(inputs), (len(inputs),), generator=generator)
        inputs, target = inputs[chosen], target[chosen]
    groups = list(getattr(data, "groups", range(data.num_features)))
    columns = torch.arange(data.num_features)
    if method.oracle:
        columns = data.relevance.nonzero().flatten()
        groups = list(range(len(columns)))
    epochs = min(table.epochs, max_epochs or table.epochs)
    test = table_rows(data, "test")
    module, fitted = fit(method, table, data, (inputs, target), columns, groups, job.seed, epochs)
    record: Run = asdict(job) | fitted
    record["test"] = performance(module, test[0][:, columns], test[1])
    record["train"] = performance(module, inputs[:, columns], target)
    if not method.oracle:
        found = scores_of(module, inputs, target, groups)
        record |= {name: _numbers(values) for name, values in found.items()}
    if job.protocol in ("quality", "real"):
        began = time.perf_counter()
        background, asked = data.training_rows(BACKGROUND), test[0][:ROWS]
        values, record["shap_evaluations"] = shap_importance(module, background, asked, groups)
        record["shap"] = _numbers(values)
        record["shap_seconds"] = round(time.perf_counter() - began, 2)
    if isinstance(data, InvaseSynthetic) and job.protocol == "formulas":
        record |= _discoveries(data, torch.tensor(record["scores"]))
    if job.protocol == "real":
        rankings = {"scores": record["scores"], "shap": record["shap"]}
        if job.method == NONE:
            trees = tree_importance(data, groups, job.seed)
            record |= {"trees": _numbers(trees[0]), "trees_test": trees[1]}
            generator = torch.Generator().manual_seed(job.seed)
            rankings |= {"trees": record["trees"]}
            rankings |= {"random": torch.rand(len(record["scores"]), generator=generator).tolist()}
        record["retrained"] = {
            name: [
                retrained(job, table, data, torch.tensor(values), groups, share, epochs)
                for share in KEPT
            ]
            for name, values in rankings.items()
        }
    record["seconds"] = round(time.perf_counter() - start, 2)
    return record


def _discoveries(data: InvaseSynthetic, scores: Tensor) -> dict[str, float]:
    """Row by row, the true and false discoveries of the features that a union would select."""
    count = int(data.relevance.sum())
    selected = torch.zeros(len(scores), dtype=torch.bool)
    selected[scores.topk(count).indices] = True
    relevance = data.test_relevance
    selected = selected.expand_as(relevance)
    return {
        "tpr": float(true_discovery_rate(selected, relevance).mean()),
        "fdr": float(false_discovery_rate(selected, relevance).mean()),
    }


def _numbers(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
