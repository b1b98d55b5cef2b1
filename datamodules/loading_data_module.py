"""Base class of all data modules: it makes the loaders of their rows."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from typing_extensions import override

from pear_lightning.datamodules.epoch_order import EpochOrder
from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.resumable_loader import ResumableLoader
from pear_lightning.datamodules.table_dataset import as_batch


class LoadingDataModule(LightningDataModule):
    """Base class of data modules that makes the loaders of their rows.

    Training resumes in the middle of an epoch with the batches that
    were left. Without validation rows, ``fit`` runs no validation. ``predict`` uses the test rows,
    in order.

    Subclasses implement :meth:`rows` and :attr:`splits`.

    Args:
        val_fraction: Share of the training rows held out for validation, 0 to below 1.
        seed: Seed of all random draws, such as the validation rows; the order of the
            training batches follows the global seed (``seed_everything``) and the epoch.
        shuffle: Whether each epoch visits the training rows in a different order.
        batch_size: Number of rows in a training batch.
        eval_batch_size: Number of rows in any other batch. None is ``batch_size``.
        num_workers: Number of loading processes. 0 is fastest for rows in memory.
        drop_last: Whether to drop the last training batch if it is smaller.
        pin_memory: Whether to page-lock batches for the copy to the GPU. Ignored without CUDA.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        val_fraction: float,
        seed: int,
        shuffle: bool = True,
        batch_size: int,
        eval_batch_size: int | None,
        num_workers: int,
        drop_last: bool,
        pin_memory: bool,
    ) -> None:
        super().__init__()
        if not 0 <= val_fraction < 1:
            raise ValueError(f"val_fraction must lie in [0, 1), got {val_fraction}")
        for name, size in {"batch_size": batch_size, "eval_batch_size": eval_batch_size}.items():
            if size is not None and size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.val_fraction = val_fraction
        self.seed = seed
        self.shuffle = shuffle
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.pin_memory = pin_memory
        self._limit_val_batches: int | float | None = None

    @abstractmethod
    def rows(self, split: str) -> Any:
        """Return all rows of a split, a data set.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
        """

    @property
    @abstractmethod
    def splits(self) -> dict[str, int]:
        """Number of rows of each existing split."""

    @property
    def training_mean(self) -> Tensor:
        """Mean ``(*S)`` of the training rows, the baseline of many explanations."""
        mean: Tensor = self.rows("train").inputs.mean(dim=0, dtype=torch.float64).float()
        return mean

    def training_rows(self, n: int, seed: int = 0) -> Tensor:
        """Draw up to ``n`` different training rows, as background data.

        Args:
            n: Number of rows; if there are fewer, all rows are drawn.
            seed: Seed of the draw.

        Returns:
            Rows ``(min(n, N), *S)``.

        Raises:
            ValueError: If ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        rows: Tensor = self.rows("train").inputs
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        return rows[order[:n]]

    @override
    def setup(self, stage: str | None = None) -> None:
        """Turn validation off for a fit without validation rows, of which Lightning would warn."""
        if stage == "fit" and self.trainer is not None and "val" not in self.splits:
            self._limit_val_batches = self.trainer.limit_val_batches
            self.trainer.limit_val_batches = 0

    @override
    def teardown(self, stage: str | None = None) -> None:
        """Undo the change of the trainer in :meth:`setup`."""
        if stage == "fit" and self.trainer is not None and self._limit_val_batches is not None:
            self.trainer.limit_val_batches = self._limit_val_batches
            self._limit_val_batches = None

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        rows = self.rows("train")
        if self.drop_last and len(rows) < self.batch_size:
            raise ValueError(
                f"batch_size must be at most {len(rows)}, the number of training rows, with "
                f"drop_last=True, got {self.batch_size}"
            )
        return self.training_loader(rows)

    def training_loader(self, rows: Any) -> DataLoader[Any]:
        """Return the loader of the training rows.

        Args:
            rows: The training rows.
        """
        sampler = EpochShuffle(rows) if self.shuffle else EpochOrder(rows)
        return self._loader(rows, self.batch_size, sampler=sampler, drop_last=self.drop_last)

    @override
    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        return self._eval_loader("val")

    @override
    def test_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        return self._eval_loader("test")

    @override
    def predict_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        return self._eval_loader("test")

    def _eval_loader(self, split: str) -> DataLoader[Any] | list[DataLoader[Any]]:
        if split in self.splits:
            return self._loader(self.rows(split), self.eval_batch_size or self.batch_size)
        if self.trainer is None or self.trainer.state.fn in (None, "fit"):
            return []
        raise ValueError(
            f"{split}_fraction must be above 0 to have {split} rows, got "
            f"{getattr(self, f'{split}_fraction', 0)}"
        )

    def _loader(
        self,
        rows: Any,
        batch_size: int,
        *,
        sampler: Sampler[int] | None = None,
        drop_last: bool = False,
    ) -> DataLoader[Any]:
        return ResumableLoader(
            rows,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            **self.loading,
        )

    @property
    def collate(self) -> Callable[[Any], Any]:
        """Function that makes a batch of the result of ``__getitems__``."""
        return as_batch

    @property
    def loading(self) -> dict[str, Any]:
        """Arguments of all loaders."""
        return {
            "collate_fn": self.collate,
            "num_workers": self.num_workers,
            "persistent_workers": self.num_workers > 0,
            "pin_memory": self.pin_memory and torch.cuda.is_available(),
        }
