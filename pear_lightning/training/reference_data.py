"""Reference data of explainers, taken from the training split once."""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn

from pear_lightning.explainers import Explainer

_BACKGROUND_ROWS = 1024


def fit_references(module: LightningModule, *, afresh: bool = False) -> None:
    """Give all explainers of a module the reference data that they take from the training split.

    A datamodule that knows them (``training_mean`` and ``training_rows(n)``, as
    :class:`~pear_lightning.datamodules.TabularDataModule` does) is asked; else, when fitting, the
    training dataloader is read once, without moving the random state. Every rank gets the same.

    Args:
        module: A module attached to a trainer that has set up its data.
        afresh: Whether to replace what is known already, as a fit does that does not resume.
    """
    fit_explainers(module.trainer, module.modules(), module.device, afresh=afresh)


def fit_explainers(
    trainer: Trainer,
    modules: Iterable[nn.Module],
    device: torch.device,
    *,
    afresh: bool = False,
    inputs_of: Callable[[Any], Tensor] = itemgetter(0),
) -> None:
    """Do what :func:`fit_references` does, for those of some modules that are explainers.

    Args:
        trainer: A trainer that has set up its data.
        modules: Modules; what is no explainer is passed over.
        device: Device of the reference data.
        afresh: Whether to replace what is known already.
        inputs_of: Returns the inputs ``(B, *S)`` of a batch.
    """
    wanting = [
        explainer
        for explainer in modules
        if isinstance(explainer, Explainer)
        and (explainer.uses_training_data if afresh else explainer.awaits_training_data)
    ]
    if not wanting:
        return
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    if hasattr(datamodule, "training_mean") and hasattr(datamodule, "training_rows"):
        mean, rows = datamodule.training_mean, datamodule.training_rows(_BACKGROUND_ROWS)
    elif trainer.state.fn == "fit":
        with torch.random.fork_rng():
            mean, rows = _read_once(trainer, inputs_of)
    else:
        return  # explain() says what is missing, if it is used
    for explainer in wanting:
        explainer.fit_reference(mean.to(device), rows.to(device))


def _read_once(trainer: Trainer, inputs_of: Callable[[Any], Tensor]) -> tuple[Tensor, Tensor]:
    trainer.fit_loop.setup_data()
    total: Tensor | None = None
    count = 0
    rows: list[Tensor] = []
    for batch in trainer.train_dataloader or ():
        inputs = inputs_of(batch).detach()
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
