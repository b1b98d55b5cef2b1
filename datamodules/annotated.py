"""Base class of data modules with a mask of irrelevant inputs."""

from typing import ClassVar

import torch
from torch.utils.data import DataLoader
from typing_extensions import override

from pear_lightning.datamodules.always_include import AlwaysInclude
from pear_lightning.datamodules.annotated_dataset import AnnotatedDataset, Batch
from pear_lightning.datamodules.epoch_order import EpochOrder
from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.in_memory import InMemoryDataModule
from pear_lightning.datamodules.resumable_loader import ResumableLoader


class AnnotatedDataModule(InMemoryDataModule):
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
        super().__init__(
            val_fraction=val_fraction,
            seed=seed,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            drop_last=drop_last,
            pin_memory=pin_memory,
        )
        # not logged, because the Trainer raises if a module has a hyperparameter of the same name
        # with another value
        self.save_hyperparameters(logger=False)
        if n_annotated is not None and n_annotated < 0:
            raise ValueError(f"n_annotated must be at least 0 or None, got {n_annotated}")
        if annotated_per_batch < 0:
            raise ValueError(f"annotated_per_batch must be at least 0, got {annotated_per_batch}")
        self.n_annotated = n_annotated
        self.annotated_per_batch = annotated_per_batch
        self.shuffle = shuffle
        self._datasets: dict[str, AnnotatedDataset] = {}

    def load_rows(self) -> dict[str, AnnotatedDataset]:
        """Return the rows of ``"train"`` and ``"test"``; implemented by subclasses."""
        raise NotImplementedError(
            f"load_rows must be implemented, got {type(self).__name__} without it; use a subclass"
        )

    @override
    def setup(self, stage: str | None = None) -> None:
        if not self._datasets:  # all stages use the same rows
            self._load()
        super().setup(stage)

    def _load(self) -> None:
        loaded = self.load_rows()
        if empty := [split for split, rows in loaded.items() if not len(rows)]:
            raise ValueError(f"load_rows must return rows for each split, got none for {empty}")
        train = loaded["train"]
        datasets = {"train": train}
        if self.val_fraction:
            n_val = round(self.val_fraction * len(train))
            if not 0 < n_val < len(train):
                raise ValueError(
                    f"val_fraction must leave rows in both splits, got {self.val_fraction} of "
                    f"{len(train)} rows"
                )
            order = torch.randperm(
                len(train), generator=torch.Generator().manual_seed(self.seed)
            ).tolist()
            # sorted, so that rows keep the order in which they were read
            datasets = {
                "train": AnnotatedDataset(*train.__getitems__(sorted(order[n_val:]))),
                "val": AnnotatedDataset(*train.__getitems__(sorted(order[:n_val]))),
            }
        datasets["train"] = self._with_few_annotations(datasets["train"])
        self._datasets = {**datasets, "test": loaded["test"]}

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

        Raises:
            RuntimeError: If :meth:`setup` has not been called.
            ValueError: If there is no such split.
        """
        if not self._datasets:
            raise RuntimeError("rows must be loaded before use, got none; call setup() first")
        if split not in self._datasets:
            raise ValueError(f"split must be one of {list(self._datasets)}, got {split!r}")
        return self._datasets[split]

    @property
    def splits(self) -> dict[str, int]:
        """Number of rows of each existing split."""
        self.rows("train")
        return {name: len(rows) for name, rows in self._datasets.items()}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape S of one row of ``inputs``."""
        return tuple(self.rows("train").inputs.shape[1:])

    @property
    def num_classes(self) -> int:
        """Number of classes, the number of outputs that a model needs."""
        return len(self.class_names)

    @property
    def num_features(self) -> int:
        """Number of elements of one row of ``inputs``."""
        return self.rows("train").inputs[0].numel()

    @override
    def train_dataloader(self) -> DataLoader[Batch]:
        rows = self.rows("train")
        self._check_drop_last(rows)
        annotated = _annotated(rows)
        sampler = EpochShuffle(rows) if self.shuffle else EpochOrder(rows)
        if not self.annotated_per_batch or not annotated:
            return ResumableLoader(
                rows,
                batch_size=self.batch_size,
                sampler=sampler,
                drop_last=self.drop_last,
                **self._loading,
            )
        batches = AlwaysInclude(
            sampler, self.batch_size, self.drop_last, annotated, per_batch=self.annotated_per_batch
        )
        return ResumableLoader(rows, batch_sampler=batches, **self._loading)


def _annotated(rows: AnnotatedDataset) -> list[int]:
    """Return the indices of the rows that have a true entry in the mask."""
    numbers: list[int] = rows.mask.flatten(1).any(dim=1).nonzero().squeeze(1).tolist()
    return numbers
