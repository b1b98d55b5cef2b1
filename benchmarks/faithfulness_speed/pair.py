"""A metric on both sides, ready to run on one problem."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from benchmarks.faithfulness_speed.problem import Problem

Ours = Callable[[Problem], Callable[[], Tensor]]
Theirs = Callable[[Problem], Callable[[], Any]]


@dataclass(frozen=True)
class Pair:
    """A metric on both sides.

    Attributes:
        name: Its name here.
        peer: Package and name there.
        settings: What is the same on both sides.
        ours: Prepares our side for a problem; what it returns is timed.
        theirs: Prepares the other side.
        images_only: Whether it needs images.
        needs_skimage: Whether it needs scikit-image, which Quantus brings.
        note: How the two differ, if they do.
    """

    name: str
    peer: str
    settings: str
    ours: Ours
    theirs: Theirs
    images_only: bool = False
    needs_skimage: bool = False
    note: str = ""

    @property
    def package(self) -> str:
        """Name of the package that has to be there for the other side."""
        return self.peer.split()[0].lower()

    def suits(self, problem: Problem) -> bool:
        """Whether the metric can be computed on a problem."""
        return problem.is_image or not self.images_only
