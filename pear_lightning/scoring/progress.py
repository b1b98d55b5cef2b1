"""Progress of long evaluations: bars over forward passes, and a count of evaluations."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.errors import LiveError
from rich.progress import Progress

_SECONDS = 5.0  # of work before a bar appears unasked


@dataclass
class Count:
    """The number of evaluations of models, one for each row of each forward pass."""

    evaluations: int = 0


_count: ContextVar[Count | None] = ContextVar("_count", default=None)


@contextmanager
def counted_evaluations() -> Iterator[Count]:
    """Count the evaluations of models inside.

    Example:
        >>> with counted_evaluations() as count:
        ...     count_evaluations(rows=36)  # as each forward pass does
        >>> count.evaluations
        36
    """
    count = Count()
    token = _count.set(count)
    try:
        yield count
    finally:
        _count.reset(token)


def count_evaluations(rows: int) -> None:
    """Add evaluations to the count that is open, if there is one.

    Args:
        rows: Number of rows of a forward pass.
    """
    count = _count.get()
    if count is not None:
        count.evaluations += rows


_unasked = ContextVar("_unasked", default=True)


@contextmanager
def no_unasked_bars() -> Iterator[None]:
    """Show no bars inside that were not asked for, because the caller shows one."""
    token = _unasked.set(False)
    try:
        yield
    finally:
        _unasked.reset(token)


class PassBar:
    """A progress bar over forward passes, with an estimate of the evaluations of the model.

    Args:
        show: Whether to show the bar; ``None`` shows it on a terminal once the work has taken five
            seconds.
        samples: Number of samples that are evaluated, in blocks.
    """

    def __init__(self, show: bool | None, samples: int) -> None:
        self._show = show
        self._samples = samples
        self._bar: Progress | None = None
        self._total = self._done = 0
        self._text = ""

    def __enter__(self) -> Self:
        """Start to measure the time."""
        self._started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def expect(self, passes: int, copies: int, samples: int) -> None:
        """Announce the work of a block; the first block stands for all.

        Args:
            passes: Number of forward passes of the block.
            copies: Number of perturbed copies of each sample.
            samples: Number of samples of the block.
        """
        if self._total:
            return
        self._total = passes * -(-self._samples // max(1, samples))
        evaluations = (copies + 1) * self._samples
        self._text = f"evaluating perturbed inputs, about {evaluations:,} model evaluations"
        if self._show:
            self._open(Progress(transient=True))

    def advance(self) -> None:
        """Count a forward pass."""
        self._done += 1
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])
        elif self._show is None and time.monotonic() - self._started > _SECONDS:
            self._show = False  # decided once
            bar = Progress(transient=True)
            if _unasked.get() and (bar.console.is_terminal or bar.console.is_jupyter):
                with suppress(LiveError):  # another bar is shown, such as that of a trainer
                    self._open(bar)

    def _open(self, bar: Progress) -> None:
        bar.add_task(self._text, total=self._total, completed=self._done)
        bar.start()
        self._bar = bar
