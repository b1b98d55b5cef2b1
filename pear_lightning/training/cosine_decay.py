"""A learning rate that follows a cosine to the end of a fit."""

import math
from typing import Any

from lightning.pytorch import Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from typing_extensions import override


class CosineDecay(LambdaLR):
    r"""Lower the learning rate to 0 along a half cosine, over the epochs of the fit.

    .. math:: \eta_t = \eta_0 \, \tfrac12 \left( 1 + \cos(π t / T) \right)

    in epoch t of T. With T = ``n_epochs`` this is ``CosineAnnealingLR(optimizer, T_max=T)``. The
    modules of this package set T to the number of epochs of their trainer if it is not given, so
    that a configuration does not repeat ``max_epochs``. If ``max_steps`` ends the fit earlier, T is
    the number of epochs that these steps take, the last of which may be a part of one.

    Args:
        optimizer: The optimiser.
        n_epochs: T, at least 1. ``None`` for the epochs of the trainer.

    Raises:
        ValueError: If ``n_epochs`` is below 1; in a fit, if it is ``None`` and the trainer has no
            limit, or only ``max_steps`` with a data set of unknown length.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> scheduler = CosineDecay(optimizer, n_epochs=2)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     print(round(scheduler.get_last_lr()[0], 3))
        0.5
        0.0
    """

    def __init__(self, optimizer: Optimizer, n_epochs: int | None = None) -> None:
        if n_epochs is not None and n_epochs < 1:
            raise ValueError(f"n_epochs must be at least 1 or None, got {n_epochs}")
        self.n_epochs = n_epochs
        super().__init__(optimizer, self._factor)

    def _factor(self, epoch: int) -> float:
        if not epoch:
            return 1.0  # the constructor asks before the number of epochs is known
        if self.n_epochs is None:
            raise ValueError(
                "n_epochs must be given outside of the modules of this package, got None"
            )
        return 0.5 * (1 + math.cos(math.pi * min(epoch / self.n_epochs, 1.0)))

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return the state without T, so that a resumed run can be longer."""
        return {
            k: v for k, v in super().state_dict().items() if k not in ("n_epochs", "lr_lambdas")
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state.

        Args:
            state_dict: A result of :meth:`state_dict`.
        """
        super().load_state_dict({**state_dict, "lr_lambdas": [None] * len(self.lr_lambdas)})


def epochs_of(trainer: Trainer) -> int:
    """Return the number of epochs of a fit, of which the last may be a part of one.

    Args:
        trainer: A trainer that has loaded its training data, as in ``on_train_start``.

    Raises:
        ValueError: If the trainer has no limit, or only ``max_steps`` with a data set of unknown
            length.
    """
    limits = []
    if trainer.max_epochs is not None and trainer.max_epochs > 0:
        limits.append(int(trainer.max_epochs))
    if trainer.max_steps > 0 and math.isfinite(trainer.num_training_batches):
        # the last batch of an epoch is a step, however few batches it accumulates
        steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        limits.append(math.ceil(trainer.max_steps / max(steps, 1)))
    if limits:
        return min(limits)
    if trainer.max_steps > 0:
        raise ValueError(
            "n_epochs must be given for CosineDecay if the trainer has only max_steps and the "
            "number of batches of an epoch is unknown, got None; or give the trainer max_epochs"
        )
    raise ValueError(
        f"max_epochs must be a number for CosineDecay, got {trainer.max_epochs}; limit the trainer "
        "or give n_epochs"
    )
