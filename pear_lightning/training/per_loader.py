"""Copies of a module's metrics for evaluations with several data loaders."""

from typing import Any

from torch import nn
from torchmetrics import Metric, MetricCollection


class PerLoader(nn.Module):
    """Copies of a module's metrics for evaluations with several data loaders.

    The module's own metrics measure the first loader. Copies for other loaders are made when they
    are needed.

    Example:
        >>> from torchmetrics.classification import MulticlassAccuracy
        >>> accuracy, copies = MulticlassAccuracy(2), PerLoader()
        >>> copies.of("accuracy", accuracy, 0) is accuracy
        True
        >>> copies.of("accuracy", accuracy, 1) is copies.of("accuracy", accuracy, 1)
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies = nn.ModuleDict()

    def of(self, name: str, metric: Metric | MetricCollection, dataloader_idx: int) -> Any:
        """Return the metric that measures one of the loaders.

        Args:
            name: Name of the metric.
            metric: The metric of the first loader.
            dataloader_idx: Number of the loader.
        """
        if dataloader_idx == 0:
            return metric
        key = f"{name}_{dataloader_idx}"
        if key not in self.copies:
            # an evaluation restores the mode of the modules that it started with only
            copy = metric.clone().train()
            copy.reset()
            self.copies[key] = copy
        return self.copies[key]


def loader_suffixes(count: int) -> list[str]:
    """Return what Lightning adds to the names of the metrics of each data loader.

    Args:
        count: Number of data loaders.

    Returns:
        One string per data loader, ``"/dataloader_idx_1"`` for the second; ``[""]`` for a single
        loader.

    Example:
        >>> loader_suffixes(1), loader_suffixes(2)
        ([''], ['/dataloader_idx_0', '/dataloader_idx_1'])
    """
    return [""] if count == 1 else [f"/dataloader_idx_{number}" for number in range(count)]
