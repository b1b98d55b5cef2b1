"""A weight that makes an explanation loss as large as the task loss."""

import math
import warnings

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from pear_lightning.training.weight_schedule import LateStart


class MatchedMagnitude(LateStart):
    r"""A weight that is switched on late and scaled by both losses.

    .. math:: w_t = 0 \;\; (t < t_0), \qquad
              w_t = w \; \frac{\sum L}{\sum R} \;\; (t \ge t_0)

    At the start t₀ the explanation loss R is scaled so that it is w times as large as the task loss
    L, both summed over the second half of the epochs before. At step 0 this would be wrong: a
    network of the usual initialisation on inputs of the usual scale predicts almost uniformly,
    where many explanation losses (the gradient of the sum of log-probabilities, for one) are nearly
    0, and the weight would be thousands of times too large. The same holds for a start so early
    that the model has hardly learned, which raises a warning. The sums belong to the state, so that
    training may stop and resume before the start.

    Args:
        weight: w, the wanted ratio of both losses, at least 0.
        start_epoch: t₀: epochs of training without the loss, above 0; fractions count batches.

    Raises:
        ValueError: If a value is negative or not finite, or magnitudes are to be matched at the
            first step.

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
                "match_magnitude needs start_epoch above 0, got 0: it compares both losses after "
                "some training, because an untrained network predicts almost uniformly, where the "
                "penalty is nearly 0 whatever it will be; start_epoch=1 is a beginning"
            )
        self.register_buffer("scale", torch.tensor(math.nan))
        # not buffers, which a trainer of low precision makes too coarse to count with: extra state
        self._sums: Tensor | None = None  # of all ranks: task loss, penalty, steps
        self._first: Tensor | None = None
        self._factor: float | None = None  # the scale, read from its device once

    @property
    def factor(self) -> float:
        """The ratio of both losses that w is multiplied by; NaN until it is known."""
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
            epochs: Epochs of training so far, with the share of the current one.
        """
        weight = super().forward(epochs)
        return weight * self.factor if weight and self.is_matched else 0.0

    def listens(self, epochs: float) -> bool:
        """Return whether both losses of a step are compared.

        Args:
            epochs: Epochs of training so far, with the share of the current one.
        """
        return bool(self.weight) and 2 * epochs >= self.start_epoch and not self.is_matched

    def observe(
        self, epochs: float, task_loss: Tensor, penalty: Tensor | None, trainer: Trainer | None
    ) -> None:
        """Add up both losses before the start, and match their magnitudes once it is reached.

        As long as the explanation loss was 0 (no annotated row yet), the start waits.

        Args:
            epochs: Epochs of training so far, with the share of the current one.
            task_loss: Task loss of the step, a scalar.
            penalty: Explanation loss of the step, a scalar.
            trainer: The trainer, to add up over its ranks.
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
        if trainer is not None:  # at every step, because a checkpoint holds what one rank knows
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
                "begun to learn is nearly uniform, where penalties are nearly 0. The weight came "
                f"out as {self.weight * self.factor:.3g}; if training suffers, choose a later "
                "start_epoch",
                stacklevel=2,
            )

    @property
    def why_idle(self) -> str:
        """What kept the weight at 0 throughout a training, in words."""
        if self._sums is not None and not self._sums[1] > 0:
            return "no row was annotated in the steps that match_magnitude compared"
        return super().why_idle

    def get_extra_state(self) -> Tensor:
        """Return what was measured so far: both sums, the number of steps, the first task loss."""
        sums = torch.zeros(3) if self._sums is None else self._sums.cpu()
        first = torch.tensor(math.nan) if self._first is None else self._first.cpu()
        return torch.cat([sums, first[None]])

    def set_extra_state(self, state: Tensor) -> None:
        """Take what was measured before.

        Args:
            state: ``(4,)``, see :meth:`get_extra_state`.
        """
        state = state.float()
        self._sums = state[:3] if state[2] > 0 else None
        self._first = state[3] if state[3].isfinite() else None
        self._factor = None
