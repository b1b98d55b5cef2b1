"""Random numbers of a callback, which leave those of the training alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class OwnRandomness:
    """Draw random numbers from a sequence of its own.

    Args:
        seed: Seed of the sequence.

    Example:
        >>> randomness = OwnRandomness(seed=0)
        >>> with randomness.on(torch.device("cpu")):
        ...     first = torch.rand(1)
        >>> with randomness.on(torch.device("cpu")):
        ...     second = torch.rand(1)
        >>> first == second
        tensor([False])
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._states: dict[str, Tensor] | None = None

    def restart(self) -> None:
        """Begin the sequence again."""
        self._states = None

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Draw from the sequence inside the block, and restore the generators afterwards.

        Args:
            device: Device whose generator is used in addition to that of the CPU.
        """
        on_cuda = device.type == "cuda"
        with torch.random.fork_rng([device] if on_cuda else []):
            if self._states is None:
                torch.default_generator.manual_seed(self.seed)
                if on_cuda:
                    torch.cuda.manual_seed(self.seed)
            else:
                torch.set_rng_state(self._states["cpu"])
                if on_cuda:
                    torch.cuda.set_rng_state(self._states["cuda"], device)
            yield
            self._states = {"cpu": torch.get_rng_state()}
            if on_cuda:
                self._states["cuda"] = torch.cuda.get_rng_state(device)
