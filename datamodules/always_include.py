"""A batch sampler that adds some of a set of chosen rows to every batch."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch.utils.data import BatchSampler, Sampler
from typing_extensions import override


class AlwaysInclude(BatchSampler):
    """Put some chosen rows, such as annotated rows, in front of every batch.

    If 50 of 20,000 rows are annotated, most batches contain no annotated row. With this batch
    sampler, each batch consists of ``per_batch`` chosen rows, followed by the ordinary rows of the
    batch. The chosen rows take turns, in an order that is drawn again each time all of them have
    been used. (Chosen rows are also visited once per epoch as ordinary rows.)

    Under DDP, Lightning gives each rank its share of the ordinary rows. The batches of every rank
    have chosen rows in front, and each rank uses them in a different order.

    The order of the chosen rows is determined by a seed and the epoch. Both are those of the
    sampler, if it has attributes ``seed`` and ``epoch``, so that a run that is resumed continues
    with the same order. Otherwise, the seed is the global one, and the attribute ``epoch`` counts
    the passes over the batches.

    Args:
        sampler: Order of the ordinary rows.
        batch_size: Number of ordinary rows in a batch.
        drop_last: Whether to drop the last batch if it is smaller.
        rows: Indices of the chosen rows.
        per_batch: Number of chosen rows in a batch; ``None`` for all of them, as in the paper.

    Raises:
        ValueError: If there are no chosen rows, or ``per_batch`` is below 1.

    Example:
        >>> batches = AlwaysInclude(range(4), 2, False, rows=[7, 9])
        >>> [sorted(batch) for batch in batches]
        [[0, 1, 7, 9], [2, 3, 7, 9]]

    References:
        Ross, Hughes, Doshi-Velez, *Right for the Right Reasons*, IJCAI 2017, arXiv 1703.03717: the
        authors' code has the argument ``always_include``.
    """

    def __init__(
        self,
        sampler: Sampler[int] | Iterable[int],
        batch_size: int,
        drop_last: bool,
        rows: Sequence[int],
        per_batch: int | None = None,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        if not len(rows):
            raise ValueError("rows must hold at least one row to include, got none")
        if per_batch is not None and per_batch < 1:
            raise ValueError(f"per_batch must be at least 1 or None, got {per_batch}")
        self.rows = [int(row) for row in rows]
        self.per_batch = len(rows) if per_batch is None else min(per_batch, len(rows))
        self.seed = torch.initial_seed()
        self.epoch = 0

    @override
    def __iter__(self) -> Iterator[list[int]]:
        # Lightning sets the epoch of the sampler, which is not 0 at the start of a resumed run
        epoch = getattr(self.sampler, "epoch", self.epoch)
        given = getattr(self.sampler, "seed", None)
        seed = self.seed if given is None else given
        self.epoch = epoch + 1  # now, because the last batch need not exhaust the generator
        rank = getattr(self.sampler, "rank", 0)
        generator = torch.Generator().manual_seed((1_000_003 * seed + epoch) % 2**63)
        waiting: list[int] = []
        for _ in range(rank + 1):  # a different order for each rank
            waiting = self._shuffled(generator)
        for batch in super().__iter__():
            if len(waiting) < self.per_batch:
                again = self._shuffled(generator)
                # rows still waiting come last in the next turn, so that no row is twice in a batch
                waiting += sorted(again, key=waiting.__contains__)
            yield waiting[: self.per_batch] + batch
            waiting = waiting[self.per_batch :]

    def _shuffled(self, generator: torch.Generator) -> list[int]:
        return [self.rows[i] for i in torch.randperm(len(self.rows), generator=generator)]
