"""The time that soft ranking takes inside a training step."""

from importlib import import_module
from typing import Any

from torch import Tensor

from benchmarks.shared.timing import clock

# the function of the same name hides the module from an import statement
SOFT_SPEARMAN: Any = import_module("pear_lightning.functional.soft_spearman")


class RankTimer:
    """Adds up the time of ``soft_rank``, forward and backward, inside a training step.

    Args:
        device: Whose clock counts.
    """

    def __init__(self, device: str) -> None:
        self.now = clock(device)
        self.seconds = 0.0

    def __enter__(self) -> "RankTimer":
        """Put a timed function in place of ``soft_rank``."""
        self.original = SOFT_SPEARMAN.soft_rank
        SOFT_SPEARMAN.soft_rank = self.timed
        return self

    def __exit__(self, *_: object) -> None:
        """Put ``soft_rank`` back."""
        SOFT_SPEARMAN.soft_rank = self.original

    def timed(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Rank, and have the backward pass timed by hooks before and after it."""
        start = self.now()
        ranks: Tensor = self.original(x, *args, **kwargs)
        self.seconds += self.now() - start
        if ranks.requires_grad:
            ranks.register_hook(self._begin)
            x.register_hook(self._end)
        return ranks

    def _begin(self, _: Tensor) -> None:
        self._start = self.now()

    def _end(self, _: Tensor) -> None:
        self.seconds += self.now() - self._start
