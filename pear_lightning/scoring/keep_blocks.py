"""The copies of a probe, in blocks that do not depend on the size of a pass."""

import torch
from torch import Tensor

from pear_lightning.scoring.probes import Ground, Probe

_ELEMENTS_OF_BLOCK = 2**17  # a MiB of random numbers


class KeepBlocks:
    """Which features stay in place in the copies of a probe, drawn for many copies at once.

    A pass of a small network holds few copies of a sample, and drawing their subsets one pass after
    another would take longer than the passes. Calls take the copies in order.

    Args:
        probe: The probe.
        ground: The samples.

    Attributes:
        drawn: If it is a list, all blocks are kept in it.
    """

    def __init__(self, probe: Probe, ground: Ground) -> None:
        self.probe, self.ground = probe, ground
        self.drawn: list[Tensor] | None = None
        self._rest: Tensor | None = None
        self._next = 0

    def __call__(self, points: Tensor) -> Tensor:
        """Return the features that stay in place in the next copies.

        Args:
            points: Their numbers, ``(k,)`` long: those after the copies of the previous call.

        Returns:
            ``(k, B, n)`` or ``(k, 1, n)`` bool.
        """
        parts: list[Tensor] = []
        missing = len(points)
        while missing:
            if self._rest is None or not len(self._rest):
                self._rest = self._draw(missing)
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _draw(self, least: int) -> Tensor:
        """Return the next block, with at least so many copies if there are as many."""
        total = self.probe.n_points(self.ground.n_features)
        size = max(least, _ELEMENTS_OF_BLOCK // max(1, self.ground.present.numel()))
        end = min(total, self._next + size)
        block = self.probe.keep(
            self.ground, torch.arange(self._next, end, device=self.ground.present.device)
        )
        self._next = end
        if self.drawn is not None:
            self.drawn.append(block)
        return block
