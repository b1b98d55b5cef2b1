"""What scores cost: reading them, the gate in a training step, SHAP on the same model and rows."""

import platform
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.settings import DEFAULT, METHODS, NONE, TABLES, TUNED, Table
from benchmarks.scores_activation.shap import BACKGROUND, ROWS, shap_importance
from benchmarks.scores_activation.training import make_module, performance, scores_of, train
from pear_lightning.functional import precision_at_k, spearman
from pear_lightning.modules import ScoresActivationModule
from pear_lightning.modules.base import ExplainedModule

SHAPES = [
    ("MLP 16-64-32-2, batch 32", 16, (64, 32), 32, 60),
    ("MLP 16-64-32-2, batch 256", 16, (64, 32), 256, 60),
    ("MLP 16-256-256-256-2, batch 256", 16, (256, 256, 256), 256, 60),
    ("MLP 64-1024-1024-1024-2, batch 256", 64, (1024, 1024, 1024), 256, 15),
    ("MLP 64-1024-1024-1024-2, batch 1024", 64, (1024, 1024, 1024), 1024, 8),
]
TABLES_TIMED = ("10/5, 400", "16/5, 400")
MODELS = (NONE, DEFAULT, TUNED)
EXPLAINERS = ("permutation", "gradient", "kernel", "exact")
REPEATS = 200


def measure(quick: bool = False) -> dict[str, Any]:
    """Measure everything.

    Args:
        quick: A trial with few repetitions and without the slow explainers.

    Returns:
        A record that can be written as JSON.
    """
    torch.set_num_threads(1)
    shapes = SHAPES[:2] if quick else SHAPES
    return {
        "machine": f"{platform.machine()}, 1 thread, torch {torch.__version__}",
        "steps": [_overhead(*shape, 4 if quick else blocks) for *shape, blocks in shapes],
        "tables": [_table(name, quick) for name in TABLES_TIMED],
    }


def _overhead(
    name: str, d: int, hidden: tuple[int, ...], batch: int, blocks: int
) -> dict[str, Any]:
    """Time steps without and with a gate, which take turns."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(batch, d, generator=generator)
    target = torch.randint(2, (batch,), generator=generator)
    table = Table(lambda *_: None, hidden)
    data = _Two()
    steps = {
        method: _step(make_module(METHODS[method], table, data, list(range(d)), 1), inputs, target)
        for method in (NONE, DEFAULT, "CancelOut", "STG", "Deep Lasso")
    }
    size = 2 if hidden[0] > 1000 else 10
    for step in steps.values():
        for _ in range(2 * size):
            step()
    times: dict[str, list[float]] = {method: [] for method in steps}
    for _ in range(blocks):
        for method, step in steps.items():
            began = time.process_time()
            for _ in range(size):
                step()
            times[method].append((time.process_time() - began) / size * 1000)
    # each block against the plain one beside it, so that a busy machine harms both
    ratios = {
        method: torch.tensor(each) / torch.tensor(times[NONE]) for method, each in times.items()
    }
    return {
        "name": name,
        "ms": {method: float(torch.tensor(each).median()) for method, each in times.items()},
        "ratio": {
            method: ratio.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
            for method, ratio in ratios.items()
        },
    }


class _Two:
    """What :func:`make_module` asks of a table with two classes."""

    task, num_classes = "classification", 2


def _step(module: ExplainedModule, inputs: Tensor, target: Tensor) -> Callable[[], None]:
    optimizer: Any = module.configure_optimizers()
    module.train()

    def step() -> None:
        optimizer.zero_grad()
        module.training_loss(inputs, target)["loss"].backward()
        optimizer.step()

    return step


def _table(name: str, quick: bool) -> dict[str, Any]:
    """Train without and with a gate; read scores, and explain each model with SHAP."""
    data = TABLES[name].build(None, 0)
    data.setup()
    models = {method: _model(method, TABLES[name], data, quick) for method in MODELS}
    return {"name": name, "models": models}


def _model(method: str, table: Table, data: Any, quick: bool) -> dict[str, Any]:
    rows, test = data.train_dataloader().dataset, data.test_dataloader().dataset
    groups = list(range(data.n_features))
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
