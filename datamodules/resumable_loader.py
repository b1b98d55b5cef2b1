"""A data loader that resumes in the middle of an epoch."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader
from typing_extensions import override


class ResumableLoader(DataLoader[Any]):
    """A data loader that resumes in the middle of an epoch.

    Checkpoints of Lightning contain the state of loaders that have one. A run that resumes from a
    checkpoint within an epoch then visits the remaining batches of this epoch; with an ordinary
    loader, it visits the first ones again. This requires a sampler whose order depends only on the
    epoch, and that knows the epoch, such as
    :class:`~pear_lightning.datamodules.epoch_shuffle.EpochShuffle` or ``DistributedSampler``.
    Random numbers that a training step draws are not restored.

    Example:
        >>> from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
        >>> rows = list(range(6))
        >>> loader = ResumableLoader(rows, batch_size=2, sampler=EpochShuffle(rows))
        >>> batches = iter(loader)
        >>> _ = next(batches)
        >>> state = loader.state_dict()
        >>> rest = list(batches)
        >>> again = ResumableLoader(rows, batch_size=2, sampler=EpochShuffle(rows))
        >>> again.load_state_dict(state)
        >>> [batch.tolist() for batch in again] == [batch.tolist() for batch in rest]
        True
    """

    _epoch: int | None = None
    _position: int = 0
    _resume: dict[str, int | None] | None = None

    @override
    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator
        resume, self._resume = self._resume, None
        self._epoch = self._sampler_epoch()
        # a checkpoint of the end of an epoch belongs to an earlier one
        skipped = resume["position"] if resume and resume["epoch"] == self._epoch else 0
        self._position = 0
        for number, batch in enumerate(super().__iter__(), start=1):
            self._position = number
            if number > (skipped or 0):
                yield batch

    def state_dict(self) -> dict[str, int | None]:
        """Return the epoch, and the number of its batches that have been visited."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state_dict: dict[str, int | None]) -> None:
        """Skip the visited batches when the epoch of the state is iterated next.

        Args:
            state_dict: A result of :meth:`state_dict`.
        """
        self._resume = dict(state_dict)

    def _sampler_epoch(self) -> int | None:
        samplers: list[Any] = [self.sampler, getattr(self.batch_sampler, "sampler", None)]
        return next((each.epoch for each in samplers if hasattr(each, "epoch")), None)
