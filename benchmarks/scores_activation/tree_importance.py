"""The features that matter to trees."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared.boosted_trees import boosted_trees
from benchmarks.shared.table_rows import table_rows


def tree_importance(data: Any, groups: list[int], seed: int) -> tuple[Tensor, float]:
    """Permutation importance of XGBoost: the accuracy that is lost when a feature is shuffled.

    Args:
        data: A table with two classes.
        groups: Number of the feature that each column belongs to; shuffled together.
        seed: Seed of the shuffles.

    Returns:
        Importance ``(d,)``, mean of five shuffles of the test rows, and the accuracy.
    """
    train_rows = [column.numpy() for column in table_rows(data, "train")]
    test_rows = [column.numpy() for column in table_rows(data, "test")]
    trees = boosted_trees().fit(*train_rows)
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
