"""The weight of an explanation loss over training: switched on late, matched to the task loss."""

import math
import warnings

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from pear_lightning.functional.validation import check_number


class PenaltyWeight(nn.Module):
    r"""Says what an explanation loss is multiplied by at a step.

    .. math:: w_t = 0 \;\; (t < t_0), \qquad
              w_t = w \; \frac{\sum L}{\sum R} \;\; \text{or} \;\; w \;\; (t \ge t_0)

    With ``match_magnitude`` the weight w is a ratio: at the start t₀ the penalty is scaled so that
    it is w times as large as the task loss, both summed over the second half of the epochs
    before. At step 0 this would be wrong: a network of the usual initialisation on inputs of
    the usual scale predicts almost uniformly, where many penalties (the gradient of the sum of
    log-probabilities, for one) are nearly 0, and the weight would come out thousands of times too
    large. The same goes for a start so early that the model has hardly learned, which is warned of.
    The sums belong to the state, so that training may stop and resume before the start.

    Args:
        weight: w, at least 0.
        start_epoch: t₀: epochs of training without the penalty; fractions count batches.
        match_magnitude: Whether w is relative to the magnitudes of both losses.

    Raises:
        ValueError: If a value is negative or not finite, or magnitudes are to be matched at the
            first step.

    Example:
        >>> PenaltyWeight(0.5).at(epochs=0.0)
        0.5
        >>> PenaltyWeight(0.5, start_epoch=2).at(epochs=1.5)
        0.0
    """

    scale: Tensor

    def __init__(
        self, weight: float, *, start_epoch: float = 0.0, match_magnitude: bool = False
    ) -> None:
        super().__init__()
        check_number("weight", weight)
        check_number("start_epoch", start_epoch)
        if match_magnitude and not start_epoch:
            raise ValueError(
                "match_magnitude needs start_epoch above 0, got 0: it compares both losses after "
                "some training, because an untrained network predicts almost uniformly, where the "
                "penalty is nearly 0 whatever it will be; start_epoch=1 is a beginning"
            )
        self.weight = weight
        self.start_epoch = start_epoch
        self.match_magnitude = match_magnitude
        self.register_buffer("scale", torch.full((), math.nan if match_magnitude else 1.0))
        # not buffers, which a trainer of low precision makes too coarse to count with: extra state
        self._sums: Tensor | None = None  # of all ranks: task loss, penalty, steps
        self._first: Tensor | None = None
        self._factor: float | None = None  # the scale, read from its device once
        self._was_on = self._has_acted = False  # in this fit

    @property
    def factor(self) -> float:
        """What w is multiplied by: 1, or the ratio of the losses; NaN until it is known."""
        if not self.match_magnitude:
            return 1.0
        if self._factor is None and math.isfinite(factor := self.scale.item()):
            self._factor = factor
        return math.nan if self._factor is None else self._factor

    @property
    def is_matched(self) -> bool:
        """Whether the scale is known."""
        return math.isfinite(self.factor)

    def at(self, epochs: float) -> float:
        """Return the weight after so many epochs of training, 0 before the start.

        Args:
            epochs: Epochs, with the share of the current one.

        Returns:
            Weight.
        """
        if epochs < self.start_epoch or not self.weight or not self.is_matched:
            return 0.0
        return self.weight * self.factor

    def begin(self, task_loss: Tensor) -> None:
        """Take the task loss of every step before the start; the first one is remembered.

        Args:
            task_loss: Task loss of the step, a scalar.
        """
        if self._first is None and self.match_magnitude:
            self._first = task_loss.detach().float()

    def listens_at(self, epochs: float) -> bool:
        """Return whether :meth:`compare` wants both losses of this step.

        Args:
            epochs: Epochs, with the share of the current one.

        Returns:
            Whether it does.
        """
        return bool(self.weight) and not self.is_matched and 2 * epochs >= self.start_epoch

    def compare(self, task_loss: Tensor, penalty: Tensor, epochs: float, trainer: Trainer) -> None:
        """Add up both losses, and match their magnitudes once the start is reached.

        As long as the penalty was 0 (no annotated row yet), the start waits.

        Args:
            task_loss: Task loss of the step, a scalar.
            penalty: Penalty of the step, a scalar.
            epochs: Epochs, with the share of the current one.
            trainer: The trainer, to add up over its ranks.
        """
        losses = torch.stack(
            [task_loss.detach().float(), penalty.detach().float(), torch.ones_like(penalty).float()]
        )
        # at every step, because a checkpoint holds what one rank knows
        losses = trainer.strategy.reduce(losses, reduce_op="sum")
        self._sums = losses if self._sums is None else self._sums.to(losses.device) + losses
        if epochs < self.start_epoch:
            return
        task_sum, penalty_sum, steps = self._sums.tolist()
        if not penalty_sum > 0:
            return
        self.scale.fill_(task_sum / penalty_sum)
        if self._first is not None and task_sum / steps > 0.8 * self._first.item():
            warnings.warn(
                f"magnitudes were matched at epoch {epochs:.3g}, when the task loss had only gone "
                f"from {self._first.item():.3g} to {task_sum / steps:.3g}: a model that has hardly "
                "begun to learn is nearly uniform, where penalties are nearly 0. The weight came "
                f"out as {self.weight * self.factor:.3g}; if training suffers, choose a later "
                "start_epoch",
                stacklevel=2,
            )

    def restart(self) -> None:
        """Forget what :meth:`applied` was told of an earlier fit."""
        self._was_on = self._has_acted = False

    def applied(self, penalty: Tensor) -> None:
        """Remember that a penalty was added with a weight above 0, for :func:`warn_if_idle`.

        Args:
            penalty: Penalty of the step, a scalar, without a graph where nothing was annotated.
        """
        self._was_on = True
        if penalty.requires_grad:
            self._has_acted = True

    @property
    def has_acted(self) -> bool:
        """Whether a penalty that annotations reached was added in this fit, on this rank."""
        return self._has_acted

    @property
    def why_idle(self) -> str:
        """What kept the penalty from acting, in words."""
        if self._was_on:
            return "no row of any batch was annotated: masks were missing, or 0 everywhere"
        if self._sums is not None and not self._sums[1] > 0:
            return "no row was annotated in the steps that match_magnitude compared"
        return f"training ended before start_epoch={self.start_epoch:g}"

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


def epochs_so_far(trainer: Trainer) -> float:
    """Return how many epochs a fit has trained, with the share of the current one.

    Args:
        trainer: A trainer that is fitting.

    Returns:
        Epochs.
    """
    loop = trainer.fit_loop
    batches = loop.max_batches
    share = loop.epoch_loop.batch_idx / batches if 0 < batches < math.inf else 0.0
    return trainer.current_epoch + max(share, 0.0)


def warn_if_idle(weight: PenaltyWeight, name: str, trainer: Trainer) -> None:
    """Warn, on the first rank, of a loss that was never added on any rank.

    To be called on all ranks when training ends, after :meth:`PenaltyWeight.restart` when it
    started and :meth:`PenaltyWeight.applied` in each step. A weight of 0 is meant so.

    Args:
        weight: Weight of the loss.
        name: What the loss is called.
        trainer: The trainer.
    """
    if not weight.weight or trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    if not trainer.strategy.reduce_boolean_decision(weight.has_acted, all=False):
        rank_zero_warn(f"{name} had no part in this training: {weight.why_idle}")
