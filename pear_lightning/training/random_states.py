"""The states of all generators of random numbers that a model may use."""

import pickle
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class RandomSource(NamedTuple):
    """A generator of random numbers.

    Attributes:
        read: Returns the state.
        write: Sets the state.
    """

    read: Callable[[], Any]
    write: Callable[[Any], Any]


class RandomStates:
    """Snapshot of the random states that a model may use.

    It covers the global generators of torch (of the CPU and of one device), Python and NumPy, and
    generators that are attributes of a layer.

    Args:
        module: The model.
        device: Device on which it runs.

    Example:
        >>> states = RandomStates(nn.Linear(2, 1), torch.device("cpu"))
        >>> first = np.random.rand()
        >>> states.changed()
        True
        >>> states.restore()
        >>> bool(np.random.rand() == first)
        True
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self._sources = list(_sources(module, device))
        self._states = [source.read() for source in self._sources]

    def changed(self) -> bool:
        """Return whether any random number was drawn since the snapshot."""
        states = (source.read() for source in self._sources)
        return not all(map(_same, self._states, states))

    def restore(self) -> None:
        """Set all generators to the states of the snapshot."""
        for source, state in zip(self._sources, self._states, strict=True):
            source.write(state)


def _sources(module: nn.Module, device: torch.device) -> Iterator[RandomSource]:
    yield RandomSource(torch.get_rng_state, torch.set_rng_state)
    if device.type == "cuda":
        yield RandomSource(
            partial(torch.cuda.get_rng_state, device),
            partial(torch.cuda.set_rng_state, device=device),
        )
    yield RandomSource(random.getstate, random.setstate)
    yield RandomSource(np.random.get_state, np.random.set_state)
    for layer in module.modules():
        for value in vars(layer).values():
            if isinstance(value, torch.Generator | np.random.RandomState):
                yield RandomSource(value.get_state, value.set_state)
            elif isinstance(value, random.Random):
                yield RandomSource(value.getstate, value.setstate)
            elif isinstance(value, np.random.Generator):
                bits = value.bit_generator
                yield RandomSource(partial(getattr, bits, "state"), partial(setattr, bits, "state"))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    return pickle.dumps(one) == pickle.dumps(other)  # NumPy's states hold arrays
