"""The module of a setting, not trained yet."""

from typing import Any

import torch
from torch import nn

from benchmarks.pear_tradeoff.data import masker_of
from benchmarks.pear_tradeoff.distillation import DistilledPEAR
from benchmarks.pear_tradeoff.encoded_mlp import EncodedMLP
from benchmarks.pear_tradeoff.ensemble import EnsemblePEAR, MLPEnsemble
from benchmarks.pear_tradeoff.protocols import training_explainers
from benchmarks.pear_tradeoff.setting import Setting
from benchmarks.shared.boosted_trees import boosted_trees
from benchmarks.shared.table_rows import table_rows
from pear_lightning.modules import PEAR
from pear_lightning.nn import MLP, LinearModel


def backbone_of(setting: Setting, data: Any) -> nn.Module:
    """Return the network of a setting.

    Args:
        setting: How to train.
        data: The data module, for the number of features and the rows of an encoding.
    """
    if setting.model == "linear":
        return LinearModel(data.num_features)
    if setting.model == "encoded":
        return EncodedMLP(table_rows(data, "train")[0], setting.hidden)
    if setting.model == "ensemble":
        rows = table_rows(data, "train")[0]
        return MLPEnsemble(rows, setting.hidden, dropout=setting.dropout)
    return MLP(data.num_features, hidden_features=setting.hidden)


def make_module(setting: Setting, data: Any, epochs: int) -> PEAR:
    """Return the module of a setting.

    Args:
        setting: How to train.
        data: The data module.
        epochs: Epochs, for the schedules.
    """

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters, setting.learning_rate, weight_decay=setting.weight_decay, fused=True
        )

    def cosine(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

    masker = masker_of(data)
    explainers = training_explainers(
        setting.explainers, setting.nodes, setting.coalitions, data.training_mean, masker
    )
    options: dict[str, Any] = {
        "backbone": backbone_of(setting, data),
        "consensus_weight": setting.weight,
        "spearman_weight": setting.spearman,
        "explainers": explainers,
        "output": setting.output,
        "normalize": setting.normalize,
        "strength": setting.strength,
        "masker": masker if masker.groups else None,
        "rows": setting.rows,
        "every": setting.every,
        "optimizer": optimizer,
        "lr_scheduler": cosine if setting.cosine else None,
    }
    if setting.teacher:
        teacher = boosted_trees()
        teacher.fit(*(column.numpy() for column in table_rows(data, "train")))
        return DistilledPEAR(teacher, **options)
    return (EnsemblePEAR if setting.model == "ensemble" else PEAR)(**options)
