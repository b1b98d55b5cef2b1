"""A network and a batch, for the benchmarks of speed."""

from typing import NamedTuple


class Shape(NamedTuple):
    """A multilayer perceptron with two classes, and the rows of a batch."""

    name: str
    in_features: int
    hidden: tuple[int, ...]
    batch_size: int
