"""Evaluation of a complete model on the rows that it is judged by."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from pear_lightning.modules.find_another_explanation.comparison import (
    prediction_and_gradient,
    similarity,
)
from pear_lightning.scoring.batch import Batch


def judged(model: nn.Module, before: Sequence[nn.Module], batch: Batch, num_classes: int) -> Tensor:
    """Sum correct predictions of a model over a batch, and compare it with previous models.

    Args:
        model: The model.
        before: Previous models.
        batch: The batch, with labels.
        num_classes: Number of classes C.

    Returns:
        Number of rows, of correct predictions, of rows for which the previous models differ in
        their predictions, of rows for which these and the model do, and of rows of each class; and
        sum of the similarity with each previous model, ``(4 + C + number of previous models,)``,
        see :func:`nothing_judged`.
    """
    predicted, own = prediction_and_gradient(model, batch)
    others = [prediction_and_gradient(other, batch) for other in before]
    right = (predicted == batch.labels).sum().double()
    classes = torch.stack([each for each, _ in others] + [predicted])
    differs = classes != classes[0]
    differing = [each.any(dim=0).sum().double() for each in (differs[:-1], differs)]
    similar = [similarity(own, other).sum().double() for _, other in others]
    of_classes = F.one_hot(batch.labels.long(), num_classes).sum(dim=0).double()
    rows = torch.full_like(right, len(batch))
    return torch.stack([rows, right, *differing, *of_classes, *similar])


def nothing_judged(n_before: int, num_classes: int, device: torch.device) -> Tensor:
    """Return the sums of :func:`judged` over no rows.

    Args:
        n_before: Number of previous models.
        num_classes: Number of classes C.
        device: Device of the sums.
    """
    return torch.zeros(4 + num_classes + n_before, dtype=torch.float64, device=device)


def rows_to_judge(trainer: Any) -> Literal["validation", "training"]:
    """Return by which rows a model is judged.

    Args:
        trainer: A trainer that is fitting.
    """
    return "validation" if trainer.enable_validation and trainer.num_val_batches else "training"


def batches_to_judge(trainer: Any) -> Iterator[Any]:
    """Yield the batches by which a model is judged, between two epochs, on the trainer's device.

    Args:
        trainer: A trainer that is fitting.

    Yields:
        The validation batches; the training batches if there are no validation loaders.
    """
    limits: list[float] = []
    loaders: list[Any] = []
    if trainer.enable_validation:
        trainer.fit_loop.epoch_loop.val_loop.setup_data()  # if no validation has run so far
        limits = list(trainer.num_val_batches)
        loaders = CombinedLoader(trainer.val_dataloaders, "sequential").flattened if limits else []
    if not loaders:
        limits, loaders = [trainer.num_training_batches], [trainer.train_dataloader]
    for number, (loader, limit) in enumerate(zip(loaders, limits, strict=True)):
        for index, batch in enumerate(loader):
            if index >= limit:
                break
            batch = trainer.precision_plugin.convert_input(batch)
            yield trainer.strategy.batch_to_device(batch, dataloader_idx=number)
