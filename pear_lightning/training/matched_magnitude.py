"""A weight that matches the magnitude of an explanation loss to that of the task loss."""

import math
import warnings

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from pear_lightning.training.weight_schedule import LateStart


class MatchedMagnitude(LateStart):
    r"""A weight that is 0 until a start epoch and then scaled by the ratio of both losses.

    .. math:: w_t = 0 \;\; (t < t_0), \qquad
              w_t = w \; \frac{\sum L}{\sum R} \;\; (t \ge t_0)

    At the start epoch t₀, the explanation loss R is scaled to w times the task loss L, both summed
    over the second half of the epochs before t₀. Matching at step 0 would fail: a network with the
    usual initialisation and inputs of the usual scale predicts almost uniformly, many explanation
    losses (such as the gradient of the sum of log-probabilities) are then nearly 0, and the weight
    would be thousands of times too large. The same holds if t₀ is so early that the model has
    hardly learned; this raises a warning. The sums are part of the state, so training can be
    resumed before t₀.

    Args:
        weight: w, the wanted ratio of both losses, at least 0.
        start_epoch: t₀, epochs of training without the loss, above 0; fractions count batches.

    Raises:
        ValueError: If a value is negative or not finite, or ``start_epoch`` is 0.

    Example:
        >>> schedule = MatchedMagnitude(0.5, start_epoch=2)
        >>> schedule(epochs=1.5), schedule.listens(epochs=1.5)
        (0.0, True)
    """

    scale: Tensor

    def __init__(self, weight: float, start_epoch: float) -> None:
        super().__init__(weight, start_epoch)
        if not start_epoch:
            raise ValueError(
                "start_epoch must be above 0 with match_magnitude, got 0; an untrained network "
                "predicts almost uniformly, so its penalty is nearly 0 and both losses can only be "
                "compared after some training: try start_epoch=1"
            )
        self.register_buffer("scale", torch.tensor(math.nan))
        # extra state instead of buffers, which low precision would make too coarse for counting
        self._sums: Tensor | None = None  # over all ranks: task loss, penalty, steps
        self._first: Tensor | None = None
        self._factor: float | None = None  # the scale, read once from its device

    @property
    def factor(self) -> float:
        """The ratio of both losses, which multiplies w; NaN until it is known."""
        if self._factor is None and math.isfinite(factor := self.scale.item()):
            self._factor = factor
        return math.nan if self._factor is None else self._factor

    @property
    def is_matched(self) -> bool:
        """Whether the ratio is known."""
        return math.isfinite(self.factor)

    def forward(self, epochs: float) -> float:
        """Return the weight at a step.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """
        weight = super().forward(epochs)
        return weight * self.factor if weight and self.is_matched else 0.0

    def listens(self, epochs: float) -> bool:
        """Return whether the losses of a step enter the comparison.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
        """
        return bool(self.weight) and 2 * epochs >= self.start_epoch and not self.is_matched

    def observe(
        self, epochs: float, task_loss: Tensor, penalty: Tensor | None, trainer: Trainer | None
    ) -> None:
        """Sum both losses before the start epoch, and match their magnitudes at the start epoch.

        While the explanation loss is 0 (no annotated row yet), the start is postponed.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
            task_loss: Task loss of the step, a scalar.
            penalty: Explanation loss of the step, a scalar.
            trainer: The trainer, used to sum over ranks.
        """
        if self.is_matched:
            return
        if self._first is None:
            self._first = task_loss.detach().float()
        if penalty is None or not self.listens(epochs):
            return
        losses = torch.stack(
            [task_loss.detach().float(), penalty.detach().float(), torch.ones_like(penalty).float()]
        )
        if trainer is not None:  # at every step, because a checkpoint holds the state of one rank
            losses = trainer.strategy.reduce(losses, reduce_op="sum")
        self._sums = losses if self._sums is None else self._sums.to(losses.device) + losses
        if epochs >= self.start_epoch:
            self._match(epochs)

    def _match(self, epochs: float) -> None:
        assert self._sums is not None
        assert self._first is not None
        task_sum, penalty_sum, steps = self._sums.tolist()
        if not penalty_sum > 0:
            return
        self.scale.fill_(task_sum / penalty_sum)
        if task_sum / steps > 0.8 * self._first.item():
            warnings.warn(
                f"magnitudes were matched at epoch {epochs:.3g}, when the task loss had only gone "
                f"from {self._first.item():.3g} to {task_sum / steps:.3g}: a model that has hardly "
                "learned predicts almost uniformly, so its penalty is nearly 0. The weight is "
                f"{self.weight * self.factor:.3g}; if training suffers, choose a later start_epoch",
                stacklevel=2,
            )

    @property
    def why_idle(self) -> str:
        """Reason why the weight was 0 during the whole training, for a warning."""
        if self._sums is not None and not self._sums[1] > 0:
            return "no row was annotated in the steps that match_magnitude compared"
        return super().why_idle

    def get_extra_state(self) -> Tensor:
        """Return the measurements so far: both sums, the number of steps, the first task loss."""
        sums = torch.zeros(3) if self._sums is None else self._sums.cpu()
        first = torch.tensor(math.nan) if self._first is None else self._first.cpu()
        return torch.cat([sums, first[None]])

    def set_extra_state(self, state: Tensor) -> None:
        """Restore measurements.

        Args:
            state: ``(4,)``, see :meth:`get_extra_state`.
        """
        state = state.float()
        self._sums = state[:3] if state[2] > 0 else None
        self._first = state[3] if state[3].isfinite() else None
        self._factor = None
