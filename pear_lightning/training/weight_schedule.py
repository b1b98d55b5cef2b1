"""Schedules for the weight of an explanation loss."""

import math
from abc import ABC, abstractmethod

from lightning.pytorch import Trainer
from torch import Tensor, nn

from pear_lightning.functional.validation import check_number


class WeightSchedule(nn.Module, ABC):
    """Base class of schedules for the weight of an explanation loss.

    :class:`~pear_lightning.training.Objective` computes ``weight = schedule(epochs)`` at every
    step, and passes the losses of the step to :meth:`observe`. A schedule is a module, so its
    measurements are saved in checkpoints.

    Args:
        weight: Final weight w of the schedule, at least 0; 0 switches the loss off.

    Raises:
        ValueError: If ``weight`` is negative or not finite.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        check_number("weight", weight)
        self.weight = weight

    @abstractmethod
    def forward(self, epochs: float) -> float:
        """Return the weight at a step.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """

    @property
    def depends_on_time(self) -> bool:
        """Whether the weight depends on the epochs of training."""
        return True

    @property
    def changes_in_first_epoch(self) -> bool:
        """Whether the end of the first epoch differs from its start, in what it needs or returns.

        Fractions of this epoch are unknown if the length of the data is; see
        :func:`~pear_lightning.training.progress.epochs_so_far`.
        """
        if not self.depends_on_time:
            return False
        first, last = 0.0, math.nextafter(1.0, 0.0)
        return (self(first), self.listens(first)) != (self(last), self.listens(last))

    def listens(self, epochs: float) -> bool:
        """Return whether :meth:`observe` needs the explanation loss of a step with weight 0.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """
        return False

    def observe(
        self, epochs: float, task_loss: Tensor, penalty: Tensor | None, trainer: Trainer | None
    ) -> None:
        """Record the losses of a step; the default does nothing.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
            task_loss: Task loss of the step, a scalar.
            penalty: Explanation loss of the step, a scalar; ``None`` if it was not computed.
            trainer: The trainer, used to sum over ranks.
        """

    @property
    def outcome(self) -> str | None:
        """What the weight did, for a report at the end of training; None if nothing is known."""
        return None

    @property
    def why_idle(self) -> str:
        """Reason why the weight was 0 during the whole training, for a warning."""
        return "its weight was 0 at every step"


class ConstantWeight(WeightSchedule):
    """The same weight at every step.

    Args:
        weight: w, at least 0.

    Example:
        >>> ConstantWeight(0.5)(epochs=3.0)
        0.5
    """

    def forward(self, epochs: float) -> float:
        """Return w.

        Args:
            epochs: Not used.
        """
        return self.weight

    @property
    def depends_on_time(self) -> bool:
        """Whether the weight depends on the epochs of training; always ``False``."""
        return False


class WarmUp(WeightSchedule):
    r"""A weight that rises linearly from 0 over the first epochs.

    .. math:: w_t = w \min(1, t / t_0)

    Args:
        weight: w, at least 0.
        warmup_epochs: t₀, above 0; fractions count batches. With data of unknown length, the
            weight is 0 in the whole first epoch.

    Raises:
        ValueError: If a value is out of range.

    Example:
        >>> WarmUp(0.5, warmup_epochs=2)(epochs=1.0)
        0.25
    """

    def __init__(self, weight: float, warmup_epochs: float) -> None:
        super().__init__(weight)
        check_number("warmup_epochs", warmup_epochs)
        if not warmup_epochs:
            raise ValueError(f"warmup_epochs must be above 0, got {warmup_epochs}")
        self.warmup_epochs = warmup_epochs

    def forward(self, epochs: float) -> float:
        """Return the weight at a step.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """
        return self.weight * min(1.0, epochs / self.warmup_epochs)


class LateStart(WeightSchedule):
    r"""A weight that is 0 until a start epoch and constant after it.

    .. math:: w_t = 0 \;\; (t < t_0), \qquad w_t = w \;\; (t \ge t_0)

    Args:
        weight: w, at least 0.
        start_epoch: t₀, epochs of training without the loss; fractions count batches. With data
            of unknown length, a t₀ below 1 is 1.

    Raises:
        ValueError: If a value is negative or not finite.

    Example:
        >>> start = LateStart(0.5, start_epoch=2)
        >>> start(epochs=1.5), start(epochs=2.0)
        (0.0, 0.5)
    """

    def __init__(self, weight: float, start_epoch: float) -> None:
        super().__init__(weight)
        check_number("start_epoch", start_epoch)
        self.start_epoch = start_epoch

    def forward(self, epochs: float) -> float:
        """Return the weight at a step.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """
        return self.weight if epochs >= self.start_epoch else 0.0

    @property
    def why_idle(self) -> str:
        """Reason why the weight was 0 during the whole training, for a warning."""
        return f"training ended before start_epoch={self.start_epoch:g}"
