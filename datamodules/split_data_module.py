"""Base class of data modules that hold the samples of all splits."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, Self

import torch
from typing_extensions import override

from pear_lightning.datamodules.loading_data_module import LoadingDataModule


class Rows(Protocol):
    """A data set that returns whole batches and can be divided."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitems__(self, indices: list[int]) -> Any:
        """Return a batch of samples, or what :attr:`SplitDataModule.collate` makes a batch of."""

    def subset(self, indices: Sequence[int]) -> Self:
        """Return a data set of some of the samples."""


class SplitDataModule(LoadingDataModule):
    """Base class of data modules that hold the samples of all splits.

    Subclasses implement :meth:`load_rows`, which returns the splits ``"train"``, and ``"val"`` and
    ``"test"`` if the data set has them. This class completes them: with ``val_fraction``,
    validation samples are held out from the training samples, unless the data set has its own.
    Without test samples, the validation samples of the data set become the test samples, unless the
    user gave them for validation (:attr:`val_is_given`); otherwise, :attr:`test_fraction` of the
    training samples are held out. Then :meth:`finish_rows` may change them. ``predict`` uses the
    test samples, in order.

    Args:
        val_fraction: Share of the training samples held out for validation, 0 to below 1.
        seed: Seed of all random draws, such as the samples that are held out; the order of the
            training batches follows the global seed (``seed_everything``) and the epoch.
        shuffle: Whether each epoch visits the training samples in a different order.
        batch_size: Number of samples in a training batch.
        eval_batch_size: Number of samples in any other batch. None is ``batch_size``.
        num_workers: Number of loading processes.
        drop_last: Whether to drop the last training batch if it is smaller.
        pin_memory: Whether to page-lock batches for the copy to the GPU. Ignored without CUDA.

    Raises:
        ValueError: If an argument is out of range; in ``setup``, if a split would be empty.
    """

    class_names: ClassVar[Sequence[str]] = ()
    """Names of the classes, in the order of the labels."""

    not_hyperparameters: Sequence[str] = ()
    """Arguments that are objects, which are not saved in checkpoints."""

    test_fraction: float = 0.0
    """Share of the training samples held out for testing if there are no others, 0 to below 1."""

    val_is_given: bool = False
    """Whether the user gave the validation samples, which then do not become test samples."""

    def __init__(
        self,
        *,
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
            shuffle=shuffle,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            drop_last=drop_last,
            pin_memory=pin_memory,
        )
        # not logged, because the Trainer raises if a module has a hyperparameter of the same name
        # with another value
        self.save_hyperparameters(logger=False, ignore=self.not_hyperparameters)
        self._datasets: dict[str, Any] = {}

    def load_rows(self) -> dict[str, Any]:
        """Return the samples of each split by name; implemented by subclasses."""
        raise NotImplementedError(
            f"load_rows must be implemented, got {type(self).__name__} without it; use a subclass"
        )

    @override
    def setup(self, stage: str | None = None) -> None:
        if not self._datasets:  # all stages use the same samples
            self._datasets = self._load()
        super().setup(stage)

    def _load(self) -> dict[str, Any]:
        """Return the samples of all splits; called once."""
        loaded = self.load_rows()
        if "test" not in loaded and "val" in loaded and not self.val_is_given:
            loaded["test"] = loaded.pop("val")
        if "test" not in loaded and self.test_fraction:
            loaded["train"], loaded["test"] = self._held_out(loaded["train"], "test")
        if "val" not in loaded and self.val_fraction:
            loaded["train"], loaded["val"] = self._held_out(loaded["train"], "val")
        if empty := [split for split, rows in loaded.items() if not len(rows)]:
            raise ValueError(f"load_rows must return rows for each split, got none for {empty}")
        order: list[str] = [name for name in ("train", "val", "test") if name in loaded]
        return self.finish_rows({name: loaded[name] for name in order})

    def finish_rows(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Return the data sets of the splits, after samples are held out.

        Override it for what is fitted to the training samples, which must not see the others. This
        one returns the rows as they are.

        Args:
            rows: What :meth:`load_rows` returned, for all splits of this data module.
        """
        return rows

    def _held_out(self, rows: Any, split: str) -> tuple[Any, Any]:
        fraction = self.val_fraction if split == "val" else self.test_fraction
        n_held = round(fraction * len(rows))
        if not 0 < n_held < len(rows):
            raise ValueError(
                f"{split}_fraction must leave rows in both splits, got {fraction} of {len(rows)} "
                "rows"
            )
        generator = torch.Generator().manual_seed(self.seed)
        order: list[int] = torch.randperm(len(rows), generator=generator).tolist()
        # sorted, so that rows keep the order in which they were read
        return rows.subset(sorted(order[n_held:])), rows.subset(sorted(order[:n_held]))

    @override
    def rows(self, split: str) -> Any:
        """Return all samples of a split, as a data set.

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
    @override
    def splits(self) -> dict[str, int]:
        """Number of samples of each existing split."""
        self.rows("train")
        return {name: len(rows) for name, rows in self._datasets.items()}

    def name_classes(self, names: Sequence[str]) -> None:
        """Set the names of the classes of this data module.

        Args:
            names: The names, in the order of the labels.
        """
        self.class_names = list(names)  # type: ignore[misc]  # of a class, unless data decide

    @property
    def num_classes(self) -> int:
        """Number of classes, the number of outputs that a model needs."""
        return len(self.class_names)
