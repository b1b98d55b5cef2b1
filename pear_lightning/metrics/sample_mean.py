"""The mean over samples of a score of each sample."""

from abc import ABC
from typing import Any, ClassVar

import torch
from torch import Tensor

from pear_lightning.functional.per_sample import PerSample
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.exact_sum import N_LIMBS, as_float32, exact_means, exact_sums


class SampleMean(ExactStates, ABC):
    """Exact mean of a score over samples: it does not depend on batches, order or processes.

    Samples whose score is undefined (a correlation with a constant, for example) enter the mean
    with score 0; :meth:`undefined_share` returns their share.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    full_state_update = False
    metric_name: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._add_states(self.metric_name, {"sum": (N_LIMBS,), "count": (), "undefined": ()})

    def compute(self) -> Tensor:
        """Return the mean over all samples, a scalar; NaN if there were none.

        It is float32, or float64 if it exceeds the range of float32.
        """
        return as_float32(exact_means(self._state("sum"), self._state("count")))

    def undefined_share(self) -> Tensor:
        """Return the share of samples whose score is undefined, a float32 scalar.

        In a distributed run it covers the samples of all processes, and every process must call it.
        """
        with self._synced():
            return self._state("undefined").float() / self._state("count")

    def _take(self, scores: PerSample) -> None:
        """Add a batch of scores; NaN and Inf raise an error that names the metric."""
        self._add("sum", exact_sums(f"scores of {self.metric_name}", scores.values))
        self._add("count", torch.tensor(len(scores.values)))
        self._add("undefined", scores.undefined.sum())
