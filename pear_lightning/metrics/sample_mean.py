"""The mean over samples of a score that each sample has by itself."""

from abc import ABC
from typing import Any, ClassVar

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.fixed_point import from_limbs, to_limbs


class SampleMean(ExactStates, ABC):
    """Mean of a score over samples, exact: it does not depend on batches, order or processes.

    Samples whose score is not defined (a correlation with a constant, say) have the score 0, count
    in the mean, and are counted apart: :meth:`undefined_share`.

    A ``MetricCollection`` with two metrics of one class needs ``compute_groups=False``:
    torchmetrics merges metrics whose states are equal after the first update.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    metric_name: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # named after the metric: torchmetrics merges metrics of a collection whose states look
        # alike
        for state, size in (("sum", (3,)), ("count", ()), ("undefined", ())):
            self.add_state(
                f"{self.metric_name}_{state}",
                torch.zeros(size, dtype=torch.long),
                dist_reduce_fx="sum",
            )

    def compute(self) -> Tensor:
        """Return the mean over all samples, a float32 scalar; NaN if there were none."""
        return (from_limbs(self._state("sum")) / self._state("count")).float()

    def undefined_share(self) -> Tensor:
        """Return the share of samples whose score is not defined, a float32 scalar.

        In a distributed run it counts the samples of all processes, and all of them must call it.
        """
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn, distributed_available=self.distributed_available_fn
        ):
            return self._state("undefined").float() / self._state("count")

    def _take(self, scores: PerSample) -> None:
        """Add a batch of scores."""
        self._add("sum", to_limbs(scores.values).sum(dim=0))
        self._add("count", torch.tensor(len(scores.values)))
        self._add("undefined", scores.undefined.sum())

    def _state(self, name: str) -> Tensor:
        state: Tensor = getattr(self, f"{self.metric_name}_{name}")
        return state

    def _add(self, name: str, value: Tensor) -> None:
        # replaced, not changed in place: Lightning may have reset it inside inference mode
        state = self._state(name)
        setattr(self, f"{self.metric_name}_{name}", state + value.to(state.device))
