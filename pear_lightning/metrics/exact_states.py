"""Metrics whose states are exact integers."""

import inspect
from abc import ABC
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Self
from zlib import crc32

import torch
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

from pear_lightning.scoring.fingerprint import described


class ExactStates(Metric, ABC):
    """A metric whose states are integers that no cast changes.

    Sums are kept as integers (:mod:`~pear_lightning.metrics.exact_sum`), so that they are exact.
    torchmetrics does not change states if a module is cast (``half``, ``to(torch.bfloat16)``), but
    ``set_dtype`` turns integers into floats: these sums would overflow in float16 and lose digits
    in every floating dtype.

    A ``MetricCollection`` lets metrics share states that have equal names and, after the first
    batch, equal values, as two metrics of one class easily have after a small batch. The names of
    the states therefore depend on the arguments of the metric.

    Args:
        **kwargs: options of :class:`torchmetrics.Metric`.

    Example:
        >>> from pear_lightning.metrics import PairwiseRankAgreement
        >>> metric = PairwiseRankAgreement().set_dtype(torch.float16)
        >>> metric.update(torch.tensor([[0.1, 0.5, 0.3]]), torch.tensor([[0.2, 0.3, 0.4]]))
        >>> metric.compute()
        tensor(0.6667)
    """

    _prefix: str

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments, which name the states."""
        metric = super().__new__(cls)
        object.__setattr__(metric, "_arguments", _arguments(cls, args, kwargs))
        return metric

    def _add_states(
        self,
        name: str,
        sizes: Mapping[str, Sequence[int]],
        *,
        reduction: Literal["sum", "min", "max"] = "sum",
        start: int = 0,
    ) -> None:
        """Add states of integers, such as sums over samples.

        Args:
            name: name of the metric, the same at each call.
            sizes: shape of each state, by name.
            reduction: how states of several processes are combined.
            start: value of a state without samples.
        """
        arguments: str = self.__dict__["_arguments"]
        self._prefix = f"{name}{arguments}"
        for state, size in sizes.items():
            zeros = torch.full(tuple(size), start, dtype=torch.long)
            self.add_state(f"{self._prefix}_{state}", zeros, dist_reduce_fx=reduction)

    def _state(self, state: str) -> Tensor:
        """Return a state.

        Args:
            state: its name.
        """
        value: Tensor = getattr(self, f"{self._prefix}_{state}")
        return value

    def _set(self, state: str, value: Tensor) -> None:
        """Replace a state: Lightning may have reset it in inference mode, where nothing is added.

        Args:
            state: its name.
            value: its new value.
        """
        setattr(self, f"{self._prefix}_{state}", value.to(self._state(state).device))

    def _add(self, state: str, value: Tensor) -> None:
        """Add to a state.

        Args:
            state: its name.
            value: integers, of a shape that fits, on any device.
        """
        before = self._state(state)
        self._set(state, before + value.to(before.device))

    def _synced(self) -> AbstractContextManager[None]:
        """Return a context in which the states are those of all processes, which must enter it."""
        return self.sync_context(
            dist_sync_fn=self.dist_sync_fn, distributed_available=self.distributed_available_fn
        )

    @override
    def set_dtype(self, dst_type: str | torch.dtype) -> Self:
        """Change nothing: states are exact and results float32 for every dtype."""
        return self


def _arguments(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a suffix that names the arguments which are not the default; empty without."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    try:
        (_, *bound) = signature.bind(None, *args, **kwargs).arguments.items()
    except TypeError:  # which the constructor reports
        return ""
    given = {name: each for name, each in bound if each is not signature.parameters[name].default}
    if not given:
        return ""
    return f"_{crc32(described(sorted(given.items())).encode()):08x}"
