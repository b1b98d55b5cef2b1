"""Reference data of explainers, computed once from the training split."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pear_lightning.explainers import Explainer
from pear_lightning.scoring.batch import Batch

_BACKGROUND_ROWS = 1024


def inputs_of_batch(batch: Any) -> Tensor:
    """Return the inputs of a batch in any form that :class:`~pear_lightning.scoring.Batch` reads.

    Args:
        batch: The batch.
    """
    return Batch.of(batch).inputs


def fit_references(
    module: LightningModule,
    *,
    afresh: bool = False,
    inputs_of: Callable[[Any], Tensor] = inputs_of_batch,
) -> None:
    """Fit the reference data of all explainers of a module to the training split.

    The data come from the datamodule if it has ``training_mean`` and ``training_rows(n)``, as
    :class:`~pear_lightning.datamodules.TabularDataModule` does. Otherwise, when fitting, the
    training dataloader is read once, as far as an epoch reads it, without changing the random
    state. Its data set may be of unknown length. All ranks get the same data.

    Copies of the module that callbacks keep to average weights (EMA) get the data too: they were
    made before, and each tensor of theirs must have its counterpart in the module.

    Args:
        module: A module attached to a trainer that has set up its data.
        afresh: Whether to replace existing reference data, as a fit that does not resume does.
        inputs_of: See :func:`fit_explainers`.
    """
    modules = chain(
        module.modules(), *(copy.modules() for copy in _averaged_copies(module.trainer))
    )
    fit_explainers(module.trainer, modules, module.device, afresh=afresh, inputs_of=inputs_of)


def _averaged_copies(trainer: Trainer) -> list[nn.Module]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    held = chain.from_iterable(vars(callback).values() for callback in callbacks)
    return [each.module for each in held if isinstance(each, AveragedModel)]


def fit_explainers(
    trainer: Trainer,
    modules: Iterable[nn.Module],
    device: torch.device,
    *,
    afresh: bool = False,
    inputs_of: Callable[[Any], Tensor] = inputs_of_batch,
) -> None:
    """Fit the reference data of the explainers among some modules; see :func:`fit_references`.

    Args:
        trainer: A trainer that has set up its data.
        modules: Modules; those that are not explainers are skipped.
        device: Device of the reference data.
        afresh: Whether to replace existing reference data.
        inputs_of: Returns the inputs ``(B, *S)`` of a batch on the device of the trainer.

    Raises:
        ValueError: If the training dataloader is needed and holds no batch, or its inputs differ
            in shape.
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
        mean, rows = reference_data_of(datamodule, wanting)
    elif trainer.state.fn == "fit":
        with torch.random.fork_rng():
            mean, rows = _read_once(trainer, inputs_of, wanting)
    else:
        return  # explain() raises if missing data are used
    for explainer in wanting:
        explainer.fit_reference(mean.to(device), rows.to(device))


def reference_data_of(datamodule: Any, explainers: Iterable[Explainer]) -> tuple[Tensor, Tensor]:
    """Return the mean ``(*S)`` and rows ``(N, *S)`` of the training data of a data module.

    Rows are read only if an explainer uses them: a checkpoint has the mean of a table, but no rows.

    Args:
        datamodule: A data module with ``training_mean`` and ``training_rows(n)``.
        explainers: The explainers that will be fitted.

    Returns:
        The mean, and the rows; the mean as the only row if no explainer uses rows.
    """
    mean: Tensor = datamodule.training_mean
    if any(each.uses_training_rows for each in explainers):
        return mean, datamodule.training_rows(_BACKGROUND_ROWS)
    return mean, mean[None]


def _read_once(
    trainer: Trainer, inputs_of: Callable[[Any], Tensor], explainers: Sequence[Explainer]
) -> tuple[Tensor, Tensor]:
    trainer.fit_loop.setup_data()
    total: Tensor | None = None
    count = 0
    rows: list[Tensor] = []
    device = trainer.strategy.root_device
    loader = trainer.train_dataloader
    # compared with None: the truth value of a loader is its length, which may be unknown
    for batch in islice(() if loader is None else loader, _batches_per_epoch(trainer)):
        with torch.no_grad():
            inputs = inputs_of(move_data_to_device(batch, device)).cpu()
        if not inputs.is_floating_point() or (rows and inputs.shape[1:] != rows[0].shape[1:]):
            names = sorted({type(each).__name__ for each in explainers})
            raise ValueError(
                f"baseline of {', '.join(names)} must not be the mean of the training data for "
                "token ids and for texts of different lengths, which have none, got inputs of "
                f"{inputs.dtype}, {tuple(inputs.shape[1:])}; use baseline='zeros' or a tensor, in "
                "test_explainers, too"
            )
        subtotal = inputs.double().sum(dim=0)
        total = subtotal if total is None else total + subtotal
        if count < _BACKGROUND_ROWS:
            rows.append(inputs[: _BACKGROUND_ROWS - count])
        count += len(inputs)
    if total is None:
        raise ValueError(
            "train_dataloader must hold at least one batch to compute the training mean for an "
            "explainer, got none; pass the baseline as a tensor or 'zeros'"
        )
    sums = torch.cat([total.flatten(), total.new_tensor([count])]).to(device)
    sums = trainer.strategy.reduce(sums, reduce_op="sum").cpu()
    mean = (sums[:-1] / sums[-1]).reshape(total.shape).to(rows[0])
    return mean, trainer.strategy.broadcast(torch.cat(rows))


def _batches_per_epoch(trainer: Trainer) -> int | None:
    """Return at most how many batches an epoch reads; ``None`` for all of a data set that ends."""
    batches = trainer.fit_loop.max_batches
    if not math.isinf(batches):
        return int(batches)
    steps = trainer.max_steps * trainer.accumulate_grad_batches
    return steps if steps > 0 else None
