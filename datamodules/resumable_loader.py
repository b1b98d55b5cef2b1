"""A data loader that resumes in the middle of an epoch."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader
from typing_extensions import override


class ResumableLoader(DataLoader[Any]):
    """A data loader that resumes in the middle of an epoch.

    Checkpoints of Lightning contain the state of loaders that have one. A run that resumes from a
    checkpoint within an epoch then visits the remaining batches of this epoch; with an ordinary
    loader, it visits the first ones again. This requires a sampler whose order depends only on its
    attributes ``seed`` and ``epoch``, such as
    :class:`~pear_lightning.datamodules.epoch_shuffle.EpochShuffle` or ``DistributedSampler``. The
    seed is part of the state, because each process draws another one if none was set. Random
    numbers that a training step draws are not restored.

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
    _resume: dict[str, Any] | None = None

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

    def state_dict(self) -> dict[str, Any]:
        """Return epoch, number of its batches that have been visited, and seeds of the samplers."""
        seeds = [getattr(each, "seed", None) for each in (*self._samplers(), self.batch_sampler)]
        return {"epoch": self._epoch, "position": self._position, "seeds": seeds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Skip the visited batches when the epoch of the state is iterated next.

        This and later epochs have the order of the run that saved the state.

        Args:
            state_dict: A result of :meth:`state_dict`.
        """
        self._resume = dict(state_dict)
        samplers = (*self._samplers(), self.batch_sampler)
        for sampler, seed in zip(samplers, state_dict["seeds"], strict=True):
            if seed is not None and hasattr(sampler, "seed"):
                sampler.seed = seed

    def _sampler_epoch(self) -> int | None:
        return next((each.epoch for each in self._samplers() if hasattr(each, "epoch")), None)

    def _samplers(self) -> tuple[Any, Any]:
        return self.sampler, getattr(self.batch_sampler, "sampler", None)
