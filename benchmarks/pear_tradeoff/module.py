"""The module of a setting, not trained yet."""

from typing import Any

import torch
from torch import nn

from benchmarks.pear_tradeoff.encoded_mlp import EncodedMLP
from benchmarks.pear_tradeoff.protocols import (
    ROWS,
    TOP_K,
    aligned_protocol,
    paper_protocol,
    training_explainers,
)
from benchmarks.pear_tradeoff.settings import Setting
from benchmarks.shared.table_rows import table_rows
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP, LinearModel


def make_module(setting: Setting, data: Any, epochs: int) -> PEAR:
    """Return the module of a setting.

    Args:
        setting: How to train.
        data: The data module, for the number of features and the rows of an encoding.
        epochs: Epochs, for the schedules.
    """

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters, setting.learning_rate, weight_decay=setting.weight_decay, fused=True
        )

    def cosine(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    backbone: nn.Module
    if setting.model == "linear":
        backbone = LinearModel(data.n_features)
    elif setting.model == "encoded_mlp":
        backbone = EncodedMLP(table_rows(data, "train")[0], setting.hidden)
    else:
        backbone = MLP(
            data.n_features, hidden_features=setting.hidden, activation=setting.activation
        )
    aligned = {} if setting.junk else aligned_protocol()  # 2^16 masks with junk
    return PEAR(
        backbone,
        setting.weight,
        setting.spearman,
        training_explainers(setting.explainers, setting.nodes),
        test_explainers=paper_protocol() | aligned,
        test_rows=ROWS,
        top_k=TOP_K,
        normalize=setting.normalize,
        strength=setting.strength,
        warmup_epochs=setting.warmup * epochs,
        optimizer=optimizer,
        lr_scheduler=cosine if setting.cosine else None,
    )
