"""One model of the ScoresActivation benchmark: train it, then look at its scores."""

import time
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.settings import METHODS, NONE, REAL, TABLES, Job, Method, Table
from benchmarks.scores_activation.shap import BACKGROUND, ROWS, shap_importance
from benchmarks.scores_activation.training import make_module, performance, scores_of, train
from pear_lightning.datamodules import InvaseSynthetic
from pear_lightning.functional import false_discovery_rate, true_discovery_rate

KEPT = (0.25, 0.5)
"""Shares of the features that models are trained on again."""

_tables: dict[tuple[str, int], Any] = {}


def run_job(job: Job, data_dir: str | None, max_epochs: int | None = None) -> dict[str, Any]:
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
    data = _ready(job.table, job.data_seed, data_dir)
    inputs, target = _rows(data, "train")
    loader = data.train_dataloader()
    if job.bootstrap is not None:
        generator = torch.Generator().manual_seed(job.bootstrap)
        chosen = torch.randint(len(inputs), (len(inputs),), generator=generator)
        inputs, target = inputs[chosen], target[chosen]
    groups = list(getattr(data, "groups", range(data.n_features)))
    columns = torch.arange(data.n_features)
    if method.oracle:
        columns = data.relevance.nonzero().flatten()
        groups = list(range(len(columns)))
    epochs = min(table.epochs, max_epochs or table.epochs)
    test = _rows(data, "test")
    module, fitted = fit(method, table, data, (inputs, target), columns, groups, job.seed, epochs)
    record: dict[str, Any] = asdict(job) | fitted
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
                _retrained(job, table, data, torch.tensor(values), groups, share, epochs)
                for share in KEPT
            ]
            for name, values in rankings.items()
        }
    del loader
    record["seconds"] = round(time.perf_counter() - start, 2)
    return record


def fit(
    method: Method,
    table: Table,
    data: Any,
    rows: tuple[Tensor, Tensor],
    columns: Tensor,
    groups: list[int],
    seed: int,
    epochs: int,
) -> tuple[Any, dict[str, Any]]:
    """Train a module on some columns of some rows.

    Args:
        method: How.
        table: Network and batches.
        data: For the classes.
        rows: Inputs ``(N, n)`` and target.
        columns: Which columns of the inputs.
        groups: Number of the feature that each of these columns belongs to.
        seed: Seed of the weights and of the order of the batches.
        epochs: Epochs.

    Returns:
        The module, and its seconds and steps.
    """
    from pear_lightning.datamodules.table_dataset import TableDataset

    torch.manual_seed(seed)
    chosen = TableDataset(rows[0][:, columns], rows[1])
    loader = data._loader(chosen, table.batch_size, shuffle=True)
    module = make_module(method, table, data, groups, epochs)
    began = time.perf_counter()
    steps = train(module, loader, epochs)
    return module, {"fit_seconds": round(time.perf_counter() - began, 3), "steps": steps}


def tree_importance(data: Any, groups: list[int], seed: int) -> tuple[Tensor, float]:
    """Permutation importance of XGBoost: the accuracy that is lost when a feature is shuffled.

    Args:
        data: A table with two classes.
        groups: Number of the feature that each column belongs to; shuffled together.
        seed: Seed of the shuffles.

    Returns:
        Importance ``(d,)``, mean of five shuffles of the test rows, and the accuracy.
    """
    import numpy as np

    try:
        from xgboost import XGBClassifier
    except ImportError as error:
        raise ImportError("the trees need xgboost: pip install xgboost") from error
    train_rows, test_rows = (
        tuple(column.numpy() for column in _rows(data, part)) for part in ("train", "test")
    )
    trees = XGBClassifier(n_jobs=1).fit(*train_rows)
    accuracy = trees.score(*test_rows)
    rng = np.random.default_rng(seed)
    lost = []
    for feature in range(max(groups) + 1):
        columns = [c for c, group in enumerate(groups) if group == feature]
        scores = []
        for _ in range(5):
            shuffled = test_rows[0].copy()
            shuffled[:, columns] = shuffled[rng.permutation(len(shuffled))][:, columns]
            scores.append(trees.score(shuffled, test_rows[1]))
        lost.append(accuracy - float(np.mean(scores)))
    return torch.tensor(lost), float(accuracy)


_again: dict[tuple[Any, ...], float] = {}


def _retrained(
    job: Job,
    table: Table,
    data: Any,
    scores: Tensor,
    groups: list[int],
    share: float,
    epochs: int,
) -> float:
    """Accuracy of a network without a gate on the features with the largest scores."""
    k = max(1, round(share * len(scores)))
    best = sorted(scores.topk(k).indices.tolist())
    key = (job.table, job.data_seed, job.seed, epochs, *best)
    if key not in _again:
        columns = torch.tensor([c for c, group in enumerate(groups) if group in best])
        rows, test = _rows(data, "train"), _rows(data, "test")
        own = [best.index(groups[c]) for c in columns.tolist()]
        module, _ = fit(METHODS[NONE], table, data, rows, columns, own, job.seed, epochs)
        _again[key] = performance(module, test[0][:, columns], test[1])
    return _again[key]


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


def _ready(name: str, seed: int, data_dir: str | None) -> Any:
    key = (name, seed)
    if key not in _tables:
        _tables.clear()  # one at a time: some are large
        data = TABLES[name].build(data_dir, seed)
        if name in REAL and name != "Breast Cancer" and data_dir is None:
            raise ValueError(f"{name} needs --data-dir")
        data.setup()
        _tables[key] = data
    return _tables[key]


def _rows(data: Any, part: str) -> tuple[Tensor, Tensor]:
    loader = data.train_dataloader() if part == "train" else data.test_dataloader()
    return loader.dataset.inputs, loader.dataset.target


def _numbers(values: Tensor) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
