"""Batches that always hold some of the rows that matter most."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch.utils.data import BatchSampler, Sampler
from typing_extensions import override


class AlwaysInclude(BatchSampler):
    """Put some of a few chosen rows, such as the annotated ones, in front of every batch.

    Of 20,000 rows with 50 annotations, most batches hold none. With this batch sampler every batch
    does: its ordinary rows as before, and before them ``per_batch`` of the chosen rows, which
    take turns in an order that is drawn anew each time all of them have been used. (Ordinary rows
    may be chosen rows too: they are visited once an epoch like all others.)

    Under DDP Lightning gives each rank its share of the ordinary rows; every rank's batches have
    chosen rows in front, each rank beginning elsewhere among them.

    Args:
        sampler: Order of the ordinary rows.
        batch_size: Ordinary rows of a batch.
        drop_last: Whether to leave out a last batch that is smaller.
        rows: Indices of the chosen rows.
        per_batch: Chosen rows of a batch; ``None`` for all of them, as in the paper.

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
            raise ValueError("rows is empty: at least one row is expected to be included always")
        if per_batch is not None and per_batch < 1:
            raise ValueError(f"per_batch is {per_batch}: at least 1 row is expected, or None")
        self.rows = [int(row) for row in rows]
        self.per_batch = len(rows) if per_batch is None else min(per_batch, len(rows))
        self.seed = torch.initial_seed()
        self.epoch = 0

    @override
    def __iter__(self) -> Iterator[list[int]]:
        # the sampler knows the epoch where Lightning tells it (a resumed run starts in the middle)
        epoch = getattr(self.sampler, "epoch", self.epoch)
        rank = getattr(self.sampler, "rank", 0)
        generator = torch.Generator().manual_seed((1_000_003 * self.seed + epoch) % 2**63)
        waiting: list[int] = []
        for _ in range(rank + 1):  # an order of its own for each rank
            waiting = self._shuffled(generator)
        for batch in super().__iter__():
            if len(waiting) < self.per_batch:
                again = self._shuffled(generator)
                # those still waiting come last in the next turn: nobody is twice in a batch
                waiting += sorted(again, key=waiting.__contains__)
            yield waiting[: self.per_batch] + batch
            waiting = waiting[self.per_batch :]
        self.epoch += 1

    def _shuffled(self, generator: torch.Generator) -> list[int]:
        return [self.rows[i] for i in torch.randperm(len(self.rows), generator=generator)]
