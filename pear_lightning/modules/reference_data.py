"""Reference data of explainers, taken from the training split once."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

_BACKGROUND_ROWS = 1024


def training_reference(module: LightningModule) -> tuple[Tensor, Tensor]:
    """Return the mean of the training inputs and a sample of them.

    A datamodule that knows them (``training_mean`` and ``training_rows(n)``, as
    :class:`~pear_lightning.datamodules.TabularDataModule` does) is asked; else the training
    dataloader is read once, without moving the random state. Every rank returns the same.

    Args:
        module: A module attached to a trainer that is fitting.

    Returns:
        Mean ``(*S)`` and rows ``(N, *S)``, ``N <= 1024``, in the type of the inputs.
    """
    datamodule: Any = module.trainer.datamodule  # type: ignore[attr-defined]
    if hasattr(datamodule, "training_mean") and hasattr(datamodule, "training_rows"):
        return datamodule.training_mean, datamodule.training_rows(_BACKGROUND_ROWS)
    with torch.random.fork_rng():
        return _read_once(module, module.trainer)


def _read_once(module: LightningModule, trainer: Trainer) -> tuple[Tensor, Tensor]:
    trainer.fit_loop.setup_data()
    total: Tensor | None = None
    count = 0
    rows: list[Tensor] = []
    for batch in trainer.train_dataloader or ():
        inputs = batch[0].detach()
        subtotal = inputs.double().sum(dim=0)
        total = subtotal if total is None else total + subtotal
        if count < _BACKGROUND_ROWS:
            rows.append(inputs[: _BACKGROUND_ROWS - count])
        count += len(inputs)
    if total is None:
        raise ValueError(
            "the training dataloader is empty, so the training mean that an explainer asks for "
            "does not exist; pass the baseline as a tensor or 'zeros'"
        )
    sums = torch.cat([total.flatten(), total.new_tensor([count])]).to(trainer.strategy.root_device)
    sums = trainer.strategy.reduce(sums, reduce_op="sum").cpu()
    mean = (sums[:-1] / sums[-1]).reshape(total.shape).to(rows[0])
    return mean, trainer.strategy.broadcast(torch.cat(rows))
