"""Base classes of the importance metrics."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from pear_lightning.functional.correlation import constant_rows
from pear_lightning.functional.validation import check_finite, check_floating, check_same_shape
from pear_lightning.metrics.exact_states import ExactStates
from pear_lightning.metrics.fixed_point import from_fixed_point, to_fixed_point


class ImportanceMetric(ExactStates, ABC):
    """Mean over runs of one number per run; see its subclasses.

    States are sums over runs, so the result does not depend on the number of processes.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False
    measure: ClassVar[str]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._add_states(self.measure, {"sum": (), "square_sum": (), "count": ()})

    def compute(self) -> Tensor:
        """Return the mean over all runs, a float32 scalar; NaN if there were none."""
        return (from_fixed_point(self._state("sum")) / self._state("count")).float()

    def sd(self) -> Tensor:
        """Return the population standard deviation over runs, a float32 scalar; NaN without runs.

        In a distributed run it covers the runs of all processes, and every process must call it.
        """
        with self._synced():
            count = self._state("count")
            mean = from_fixed_point(self._state("sum")) / count
            mean_square = from_fixed_point(self._state("square_sum")) / count
        # rounding can take the variance of equal values below zero
        return (mean_square - mean.square()).clamp(min=0).sqrt().float()

    def _add_values(self, values: Tensor) -> None:
        """Add one value for each run, ``(R,)``."""
        self._add("sum", to_fixed_point(values).sum())
        self._add("square_sum", to_fixed_point(values.square()).sum())
        self._add("count", torch.tensor(values.numel()))


class RelevanceMetric(ImportanceMetric):
    """Mean over runs of the agreement of scores with the features known to be relevant."""

    def update(self, scores: Tensor, relevance: Tensor) -> None:
        """Add runs.

        Args:
            scores: ``(d,)`` or ``(R, d)`` floating, larger = more important.
            relevance: ``(d,)`` or like ``scores``; bool, or 0 and 1.

        Raises:
            TypeError: if ``scores`` is not floating.
            ValueError: for NaN or infinite scores, shapes that do not fit, or a ``relevance`` with
                values other than 0 and 1, or without a relevant feature.
        """
        self._add_values(self._values(as_runs("scores", scores), relevance))

    @abstractmethod
    def _values(self, scores: Tensor, relevance: Tensor) -> Tensor:
        """Return one value for each run: ``(R, d)`` to ``(R,)``."""


class ReferenceMetric(ImportanceMetric):
    """Mean over runs of the agreement of scores with a reference importance."""

    def update(self, scores: Tensor, reference: Tensor) -> None:
        """Add runs.

        Args:
            scores: ``(d,)`` or ``(R, d)`` floating, larger = more important.
            reference: ``(d,)`` for all runs, or like ``scores``; mean absolute SHAP values, for
                example.

        Raises:
            TypeError: if an argument is not floating.
            ValueError: for NaN or infinite values, or shapes that do not fit.
        """
        runs, other = as_runs("scores", scores), as_runs("reference", reference)
        if reference.shape == runs.shape[-1:]:
            other = other.expand_as(runs)
        check_same_shape("scores", runs, "reference", other)
        self._add_values(self._values(runs, other.to(runs.device)))

    @abstractmethod
    def _values(self, scores: Tensor, reference: Tensor) -> Tensor:
        """Return one value for each run: ``(R, d)`` and ``(R, d)`` to ``(R,)``."""


class CorrelationMetric(ReferenceMetric):
    """A correlation; its value is 0 for constant scores, which are counted.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._add_states(self.measure, {"constant_rows": ()})

    @property
    def constant_rows(self) -> int:
        """Number of runs of this process with constant scores or a constant reference."""
        return int(self._state("constant_rows"))

    def _values(self, scores: Tensor, reference: Tensor) -> Tensor:
        values = self._correlation(scores, reference)
        self._add("constant_rows", (constant_rows(scores) | constant_rows(reference)).sum())
        return values

    @abstractmethod
    def _correlation(self, scores: Tensor, reference: Tensor) -> Tensor:
        """Return one correlation for each run."""


def as_runs(name: str, scores: Tensor) -> Tensor:
    """Return scores ``(d,)`` or ``(R, d)`` as ``(R, d)``, detached.

    Args:
        name: name of the tensor in error messages.
        scores: floating scores.

    Raises:
        TypeError: if they are not floating.
        ValueError: for another number of dimensions, no feature, or NaN or infinite values.

    Example:
        >>> as_runs("scores", torch.tensor([0.2, 0.8])).shape
        torch.Size([1, 2])
    """
    check_floating(name, scores)
    if scores.ndim not in (1, 2) or scores.shape[-1] < 1:
        raise ValueError(
            f"{name} must have shape (d,) or (R, d) with d >= 1, got {tuple(scores.shape)}"
        )
    check_finite(name, scores)
    return scores.detach().reshape(-1, scores.shape[-1])
