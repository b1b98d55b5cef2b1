"""Reading scores, against SHAP on the same model and rows."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.scores_activation.methods import DEFAULT, METHODS, NONE, TUNED
from benchmarks.scores_activation.modules import make_module
from benchmarks.scores_activation.scores import scores_of
from benchmarks.scores_activation.shap_values import BACKGROUND, ROWS, shap_importance
from benchmarks.scores_activation.table_settings import TABLES, Table
from benchmarks.scores_activation.training import performance, train
from pear_lightning.functional import precision_at_k, spearman
from pear_lightning.modules import ScoresActivationModule

TABLES_TIMED = ("10/5, 400", "16/5, 400")
MODELS = (NONE, DEFAULT, TUNED)
EXPLAINERS = ("permutation", "gradient", "kernel", "exact")
REPEATS = 200


def time_table(name: str, quick: bool) -> dict[str, Any]:
    """Train without and with a gate; read scores, and explain each model with SHAP."""
    data = TABLES[name].build(None, 0)
    data.setup()
    models = {method: _model(method, TABLES[name], data, quick) for method in MODELS}
    return {"name": name, "models": models}


def _model(method: str, table: Table, data: Any, quick: bool) -> dict[str, Any]:
    rows, test = data.train_dataloader().dataset, data.test_dataloader().dataset
    groups = list(range(data.num_features))
    torch.manual_seed(0)
    module = make_module(METHODS[method], table, data, groups, table.epochs)
    loader = data.train_dataloader()
    steps, fit_seconds = _timed(lambda: train(module, loader, 1 if quick else table.epochs))
    scores = scores_of(module, rows.inputs, rows.target, groups)["scores"]

    def read() -> None:
        for _ in range(REPEATS):
            if isinstance(module, ScoresActivationModule):
                _ = module.scores
            else:
                scores_of(module, rows.inputs, rows.target, groups)

    _, read_seconds = _timed(read)
    asked, background = test.inputs[: 10 if quick else ROWS], data.training_rows(BACKGROUND)
    for explainer in EXPLAINERS[:2]:  # the first call compiles
        shap_importance(module, background, asked[:2], groups, explainer)
    explained = {}
    for explainer in EXPLAINERS:
        slow = explainer in ("kernel", "exact") and (quick or method != DEFAULT)
        if slow or (explainer == "exact" and len(groups) > 10):
            continue
        (values, evaluations), seconds = _timed(
            partial(shap_importance, module, background, asked, groups, explainer)
        )
        explained[explainer] = {
            "seconds": seconds,
            "evaluations": evaluations,
            "precision": float(precision_at_k(values, data.relevance)),
            "importance": values.tolist(),
            "spearman": float(spearman(scores, values)),
        }
    return {
        "steps": steps,
        "fit_seconds": fit_seconds,
        "read_seconds": read_seconds / REPEATS,
        "accuracy": performance(module, test.inputs, test.target),
        "precision": float(precision_at_k(scores, data.relevance)),
        "shap": explained,
    }


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    result = action()
    return result, time.process_time() - began
