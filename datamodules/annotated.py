"""Base class of data modules with a mask of irrelevant inputs."""

from typing import ClassVar

from torch.utils.data import DataLoader
from typing_extensions import override

from pear_lightning.datamodules.always_include import AlwaysInclude
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset, Batch
from pear_lightning.datamodules.epoch_order import EpochOrder
from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.resumable_loader import ResumableLoader
from pear_lightning.datamodules.split_data_module import SplitDataModule


class AnnotatedDataModule(SplitDataModule):
    """Base class of data modules with a mask of irrelevant inputs.

    Batches are ``(inputs, target, mask)``. All rows are kept in memory. ``predict`` uses the test
    rows, in order.

    Subclasses implement :meth:`load_rows`.

    Shapes:
        - ``inputs``: ``(B, *S)`` float32
        - ``target``: ``(B,)`` long
        - ``mask``: ``(B, *S)`` bool, true = irrelevant for this row; a row without any true entry
          is not annotated

    Args:
        n_annotated: Number of training rows that keep their mask, the first annotated rows; the
            masks of the others are cleared. None keeps all masks, 0 keeps none.
        annotated_per_batch: Number of annotated rows added in front of every training batch, in
            turn, so that a few annotations have more effect; see
            :class:`~pear_lightning.datamodules.AlwaysInclude`. 0 adds none, as does
            ``n_annotated=0``; if there are fewer annotated rows, all of them are added.
        val_fraction: Share of the training rows held out for validation, 0 to below 1.
        seed: Seed of all random draws, including the validation rows.
        shuffle: Whether each epoch visits the training rows in a different order. The experiments
            of Right for the Right Reasons do not shuffle.
        batch_size: Number of rows in a training batch.
        eval_batch_size: Number of rows in any other batch. None is ``batch_size``.
        num_workers: Number of loading processes. 0 is fastest for rows in memory.
        drop_last: Whether to drop the last training batch if it is smaller.
        pin_memory: Whether to page-lock batches for the copy to the GPU. Ignored without CUDA.

    Raises:
        ValueError: If an argument is out of range; in ``setup``, if ``n_annotated`` exceeds the
            number of annotated rows, or ``annotated_per_batch`` is given without annotated rows.

    Example:
        >>> import torch
        >>> class Signs(AnnotatedDataModule):
        ...     class_names = ("negative", "positive")
        ...     def load_rows(self):
        ...         x = torch.randn(30, 2, generator=torch.Generator().manual_seed(self.seed))
        ...         mask = torch.tensor([False, True]).expand(30, 2)
        ...         rows = AnnotatedDataset(x, (x[:, 0] > 0).long(), mask)
        ...         return {"train": rows, "test": rows}
        >>> data = Signs(n_annotated=5, val_fraction=0.2, batch_size=8)
        >>> data.setup()
        >>> data.splits, data.num_classes, int(data.rows("train").mask.sum())
        ({'train': 24, 'val': 6, 'test': 30}, 2, 5)
    """

    class_names: ClassVar[tuple[str, ...]] = ()
    """Names of the classes, in the order of ``target``."""

    marked_by: ClassVar[str] = "the masks that load_rows() returns"
    """Names of the arguments that decide which rows are annotated, for error messages."""

    def __init__(
        self,
        *,
        n_annotated: int | None = None,
        annotated_per_batch: int = 0,
        val_fraction: float = 0.0,
        seed: int = 0,
        shuffle: bool = True,
        batch_size: int = 256,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        if n_annotated is not None and n_annotated < 0:
            raise ValueError(f"n_annotated must be at least 0 or None, got {n_annotated}")
        if annotated_per_batch < 0:
            raise ValueError(f"annotated_per_batch must be at least 0, got {annotated_per_batch}")
        super().__init__(
            val_fraction=val_fraction,
            seed=seed,
            shuffle=shuffle,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            drop_last=drop_last,
            pin_memory=pin_memory,
        )
        self.n_annotated = n_annotated
        self.annotated_per_batch = annotated_per_batch

    @override
    def _load(self) -> dict[str, AnnotatedDataset]:
        rows = super()._load()
        return rows | {"train": self._with_few_annotations(rows["train"])}

    def _with_few_annotations(self, rows: AnnotatedDataset) -> AnnotatedDataset:
        """Clear the masks of all training rows except the first ``n_annotated`` annotated rows."""
        annotated = _annotated(rows)
        if (self.n_annotated or 0) > len(annotated):
            raise ValueError(
                f"n_annotated must be at most {len(annotated)}, the number of annotated rows among "
                f"{len(rows)} training rows, or None for all, got {self.n_annotated}; see "
                f"{self.marked_by}"
            )
        if self.annotated_per_batch and self.n_annotated != 0 and not annotated:
            raise ValueError(
                f"annotated_per_batch must be 0 if none of the {len(rows)} training rows is "
                f"annotated, got {self.annotated_per_batch}; see {self.marked_by}"
            )
        if self.n_annotated is None:
            return rows
        kept = rows.mask.clone()  # the mask may be a view of one row
        kept[annotated[self.n_annotated :]] = False
        return AnnotatedDataset(rows.inputs, rows.target, kept)

    @override
    def rows(self, split: str) -> AnnotatedDataset:
        """Return all rows of a split, with attributes ``inputs``, ``target`` and ``mask``.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
        """
        rows: AnnotatedDataset = super().rows(split)
        return rows

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape S of one row of ``inputs``."""
        return tuple(self.rows("train").inputs.shape[1:])

    @property
    def num_features(self) -> int:
        """Number of elements of one row of ``inputs``."""
        return self.rows("train").inputs[0].numel()

    @override
    def training_loader(self, rows: AnnotatedDataset) -> DataLoader[Batch]:
        annotated = _annotated(rows)
        if not self.annotated_per_batch or not annotated:
            return super().training_loader(rows)
        batches = AlwaysInclude(
            EpochShuffle(rows) if self.shuffle else EpochOrder(rows),
            self.batch_size,
            self.drop_last,
            annotated,
            per_batch=self.annotated_per_batch,
        )
        return ResumableLoader(rows, batch_sampler=batches, **self.loading)


def _annotated(rows: AnnotatedDataset) -> list[int]:
    """Return the indices of the rows that have a true entry in the mask."""
    numbers: list[int] = rows.mask.flatten(1).any(dim=1).nonzero().squeeze(1).tolist()
    return numbers
