"""A data module that predicts on a split of another."""

import math
from typing import Any, Literal, get_args

from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, IterableDataset
from typing_extensions import override

from pear_lightning.functional.validation import check_choice
from pear_lightning.reports.row_ids import first_loader

Split = Literal["test", "val", "train", "predict"]
_STAGES: dict[str, str] = {
    "train": "fit",
    "val": "validate",
    "test": "test",
    "predict": "predict",
}


class SplitData(LightningDataModule):
    """A data module whose ``predict`` reads a split of another data module.

    Args:
        source: A data module, or a module with data loaders of its own.
        split: The split: ``"train"``, ``"val"``, ``"test"`` or ``"predict"``.
        rows: Number of samples that are needed; ``None`` for all.

    Raises:
        ValueError: If the split is unknown.

    Example:
        >>> from pear_lightning.datamodules import BreastCancer
        >>> data = SplitData(BreastCancer(batch_size=50), "train")
        >>> data.setup("predict")
        >>> next(iter(data.predict_dataloader()))[0].shape
        torch.Size([50, 30])
    """

    def __init__(
        self,
        source: LightningDataModule | LightningModule,
        split: Split,
        rows: int | None = None,
    ) -> None:
        super().__init__()
        check_choice("split", split, get_args(Split))
        self.source = source
        self.split = split
        self.rows = rows
        if isinstance(source, LightningDataModule):
            self.prepare_data_per_node = source.prepare_data_per_node

    @override
    def prepare_data(self) -> None:
        """Prepare the data of the source."""
        self.source.prepare_data()

    @override
    def setup(self, stage: str) -> None:
        """Set up the split in the source."""
        if isinstance(self.source, LightningDataModule):
            self.source.trainer = self.trainer
        self.source.setup(_STAGES[self.split])

    @override
    def teardown(self, stage: str) -> None:
        """Tear down the source."""
        self.source.teardown(_STAGES[self.split])

    @override
    def predict_dataloader(self) -> Any:
        """Return the loaders of the split, and limit the batches to those that are needed."""
        loaders = getattr(self.source, f"{self.split}_dataloader")()
        if self.split == "train":
            loaders = _in_order(first_loader(loaders))
        trainer = self.trainer
        size = getattr(first_loader(loaders), "batch_size", None)
        if trainer is not None and self.rows is not None and size:
            needed = math.ceil(self.rows / (size * trainer.world_size))
            limit = trainer.limit_predict_batches
            if limit == 1.0 and isinstance(limit, float):
                trainer.limit_predict_batches = needed
        return loaders

    @override
    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Call the hook of the source."""
        return self.source.on_before_batch_transfer(batch, dataloader_idx)

    @override
    def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
        """Call the hook of the source."""
        return self.source.transfer_batch_to_device(batch, device, dataloader_idx)

    @override
    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Call the hook of the source."""
        return self.source.on_after_batch_transfer(batch, dataloader_idx)


def _in_order(loader: Any) -> Any:
    """Return a loader of the same rows in the order of their data set, which numbers them."""
    rows = getattr(loader, "dataset", None)
    sampled = isinstance(loader, DataLoader) and not isinstance(rows, IterableDataset)
    if not sampled or loader.batch_size is None:
        return loader
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
    )
