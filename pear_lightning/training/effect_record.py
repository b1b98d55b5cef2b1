"""Whether an explanation loss has a part in a fit, and a warning if it has none."""

from lightning.pytorch import Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from pear_lightning.training.progress import steps_so_far
from pear_lightning.training.weight_schedule import WeightSchedule


class EffectRecord:
    """Records whether an explanation loss R acts in a fit, and warns if it never does.

    R acts at a step if its weight is above 0 and it has a graph, which it lacks if no row of the
    batch is annotated. A weight of 0 is deliberate, so nothing is said about it.

    Args:
        loss: Name of R, for messages.
    """

    def __init__(self, loss: str) -> None:
        self._loss = loss
        self.start()

    def start(self) -> None:
        """Forget what was recorded, at the start of a fit."""
        # in this fit: whether the weight was above 0, and whether R acted, on this rank
        self._was_on = self._acted = False
        # whether nothing is left to find out, and the step of the warning
        self._is_known, self._warned_at = False, -1
        self._start_epoch()

    def _start_epoch(self) -> None:
        # in this epoch: whether the weight was above 0 at all steps, and R idle at one of them
        self._stayed_on, self._was_idle = True, False

    def add(self, weight: float, penalty: Tensor | None) -> None:
        """Record a step.

        Args:
            weight: Weight of R.
            penalty: R; ``None`` if it was not computed.
        """
        if not weight:
            self._stayed_on = False
            return
        self._was_on = True
        if penalty is not None and penalty.requires_grad:
            self._acted = True
        elif penalty is not None:
            self._was_idle = True

    def end_epoch(self, schedule: WeightSchedule, trainer: Trainer) -> None:
        """Warn once if R has had no part so far, though its weight was on for an epoch.

        So a long training without annotations is noticed at its start. Must be called on all ranks.

        Args:
            schedule: Schedule of the weight of R.
            trainer: The trainer.
        """
        idle = self._stayed_on and self._was_idle
        self._start_epoch()
        if self._is_known or not schedule.weight or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        decide = trainer.strategy.reduce_boolean_decision
        if decide(self._acted, all=False):
            self._is_known = True
        elif decide(idle, all=True):
            self._is_known, self._warned_at = True, steps_so_far(trainer)
            self._warn(schedule, f"this training up to the end of epoch {trainer.current_epoch}")

    def end(self, schedule: WeightSchedule, trainer: Trainer) -> None:
        """Report what the weight did, or warn if R had no part in the fit on any rank.

        There is no second warning after the same step. Must be called on all ranks.

        Args:
            schedule: Schedule of the weight of R.
            trainer: The trainer.
        """
        if not schedule.weight or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if trainer.strategy.reduce_boolean_decision(self._acted, all=False):
            if (outcome := schedule.outcome) is not None:
                rank_zero_info(outcome)
        elif self._warned_at != steps_so_far(trainer):
            self._warn(schedule, "this training")

    def _warn(self, schedule: WeightSchedule, training: str) -> None:
        reason = schedule.why_idle
        if self._was_on:
            reason = "no row of any batch was annotated: masks were missing, or 0 everywhere"
        rank_zero_warn(f"{self._loss} had no part in {training}: {reason}")
