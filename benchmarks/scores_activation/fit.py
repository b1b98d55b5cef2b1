"""A module trained on some columns of some rows."""

import time
from typing import Any

import torch
from torch import Tensor

from benchmarks.scores_activation.methods import Method
from benchmarks.scores_activation.modules import make_module
from benchmarks.scores_activation.table_settings import Table
from benchmarks.scores_activation.training import train


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
    loader = data.training_loader(chosen)
    module = make_module(method, table, data, groups, epochs)
    began = time.perf_counter()
    steps = train(module, loader, epochs)
    return module, {"fit_seconds": round(time.perf_counter() - began, 3), "steps": steps}
