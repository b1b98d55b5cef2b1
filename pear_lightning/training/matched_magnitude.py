"""A weight that matches the magnitude of an explanation loss to that of the task loss."""

import math

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from pear_lightning.training.weight_schedule import LateStart

_SHARE = 0.05  # of a step in the moving means
_KEPT = 1.5  # a task loss below this multiple of that at t₀ is about as good


class MatchedMagnitude(LateStart):
    r"""A weight that is 0 until a start epoch and then scaled by the ratio of both losses.

    .. math:: w_t = 0 \;\; (t < t_0), \qquad
              w_t = w \; \frac{L_0}{\bar R} \;\; (t \ge t_0)

    L₀ is the task loss of the first step, over all ranks, and R̄ the mean explanation loss in the
    last quarter of the epochs before t₀. At t₀, the explanations that the model has learned cost w
    times the task loss of a model that has learned nothing.

    The two are measured at different times, because each is small when the other is not. A network
    with the usual initialisation and inputs of the usual scale predicts almost uniformly at first:
    many explanation losses (such as the gradient of the sum of log-probabilities) are then nearly
    0, and a weight matched at the first step would be thousands of times too large. The same holds
    if t₀ is so early that the model has hardly learned; this raises a warning. After that the task
    loss falls, towards 0 if a confound gives the classes away, and a weight matched to the task
    loss at t₀ would have no effect where it is needed most.

    The weight is a start, not the best one. A confound that gives the classes away makes the model
    confident and R̄ large, so the weight can be too small by a factor of 10 to 100. It is reported
    at t₀, and at the end of training what became of both losses: if the task loss stayed as it was,
    the message says so and names a larger w. Raise w until the accuracy on the training rows
    decreases. The measurements are part of the state, so training can be resumed before t₀.

    Args:
        weight: w, the cost of the learned explanations at t₀ relative to L₀, at least 0.
        start_epoch: t₀, epochs of training without the loss, above 0; fractions count batches.
            With data of unknown length, nothing is measured in the first epoch: give 2 or more.

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
        self._after: Tensor | None = None  # moving means of task loss and penalty after t₀

    @property
    def factor(self) -> float:
        """The ratio L₀ / R̄, which multiplies w; NaN until it is known."""
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
        return bool(self.weight) and epochs >= 0.75 * self.start_epoch and not self.is_matched

    def observe(
        self, epochs: float, task_loss: Tensor, penalty: Tensor | None, trainer: Trainer | None
    ) -> None:
        """Record the losses before the start epoch, and match their magnitudes at that epoch.

        While the explanation loss is 0 (such as without an annotated row), the start is postponed.

        Args:
            epochs: Epochs of training so far, including the fraction of the current one.
            task_loss: Task loss of the step, a scalar.
            penalty: Explanation loss of the step, a scalar.
            trainer: The trainer, used to sum over ranks.
        """
        if self.is_matched:
            self._follow(task_loss, penalty)
            return
        if self._first is None:  # in the first step, which all ranks take
            self._first = task_loss.detach().float().clone()  # reduced in place
            if trainer is not None:
                self._first = trainer.strategy.reduce(self._first, reduce_op="mean")
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
        first, last, penalty = self._first.item(), task_sum / steps, penalty_sum / steps
        self.scale.fill_(abs(first) / penalty)
        found = (
            f"match_magnitude: at epoch {epochs:.3g} the explanation loss is {penalty:.3g}, and "
            f"the task loss has gone from {first:.3g} to {last:.3g}; the weight of the explanation "
            f"loss is {self.weight * self.factor:.3g} from now on"
        )
        if last > 0.8 * first:
            rank_zero_warn(
                f"{found}. A model that has hardly learned predicts almost uniformly, so its "
                "penalty is nearly 0 and the weight may be far too large; if training suffers, "
                "choose a later start_epoch",
                stacklevel=2,
            )
        else:
            rank_zero_info(
                f"{found}. If the accuracy on the training rows does not decrease, try a larger "
                f"weight than {self.weight:g}"
            )

    def _follow(self, task_loss: Tensor, penalty: Tensor | None) -> None:
        """Update the moving means of both losses after the match, without reading them."""
        if penalty is None:
            return
        losses = torch.stack([task_loss.detach().float(), penalty.detach().float()])
        self._after = losses if self._after is None else torch.lerp(self._after, losses, _SHARE)

    @property
    def outcome(self) -> str | None:
        """Both losses at the end relative to t₀, and whether the weight seems too small.

        A model that no longer uses a confound cannot keep the task loss that it had with it.
        """
        if self._after is None or self._sums is None:
            return None
        task_sum, penalty_sum, steps = self._sums.tolist()
        before, penalty_before = task_sum / steps, penalty_sum / steps
        after, penalty_after = self._after.tolist()
        found = (
            f"match_magnitude: with the weight {self.weight * self.factor:.3g}, the explanation "
            f"loss went from {penalty_before:.3g} to {penalty_after:.3g}, and the task loss from "
            f"{before:.3g} to {after:.3g}"
        )
        if after < _KEPT * before:
            return (
                f"{found}. The training rows are predicted about as well as before. If the marked "
                "features give the classes away, the model still uses them: the weight is too "
                f"small; try weight={10 * self.weight:g}"
            )
        return f"{found}: the model gave up what it predicted by the marked features"

    @property
    def why_idle(self) -> str:
        """Reason why the weight was 0 during the whole training, for a warning."""
        if self._sums is not None and not self._sums[1] > 0:
            return (
                "no row was annotated in the steps that match_magnitude compared, or the "
                "explanation loss was 0 there"
            )
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
