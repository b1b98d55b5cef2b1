"""Data module for tables from files, data frames, arrays or the Hugging Face hub."""

import os
from typing import TYPE_CHECKING, Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader
from typing_extensions import override

from pear_lightning.datamodules.epoch_shuffle import EpochShuffle
from pear_lightning.datamodules.scaling import QuantileOutput, Scaling, make_scaler
from pear_lightning.datamodules.table_checks import (
    class_indices,
    classes_of,
    feature_columns,
    feature_values,
    regression_values,
)
from pear_lightning.datamodules.table_dataset import Batch, TableDataset, as_batch
from pear_lightning.datamodules.table_source import as_frame, read_hub

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame, Series


class TabularDataModule(LightningDataModule):
    """Data module for a table from a file, a data frame, arrays or the Hugging Face hub.

    The rows are split, the features are scaled with the statistics of the training rows only, and
    all rows are kept in memory as tensors. ``predict`` uses the test rows, in order.

    Shapes:
        - ``inputs``: ``(B, n)`` float32
        - ``target``: ``(B,)`` long for classification, float32 for regression

    To support another data set, subclass it and override :meth:`load_tables`.

    Args:
        data: The table: a path (``.csv``, ``.tsv``, either compressed, or ``.parquet``), a
            ``pandas.DataFrame``, or a tuple ``(X, y)`` of arrays. None with ``hub_id``.
        test_data: The test rows, in the same form. None takes them from ``data``.
        hub_id: A data set on the Hugging Face hub, or anything else that
            ``datasets.load_dataset`` takes (a local folder, ``"csv"`` with ``data_files``).
        hub_config: Name of the configuration of the data set.
        data_files: Files of the data set to read.
        revision: Branch, tag or commit of the data set.
        cache_dir: Folder for the data set. None is the default folder of ``datasets``.
        separator: Separator of a text file. None derives it from the suffix.
        target: Name of the target column.
        features: Names of the feature columns. None takes all columns except the target, which must
            all be numeric.
        class_names: Names of the classes, in the order of their sorted values. None takes the
            values.
        task: ``"classification"`` or ``"regression"``.
        scaling: Scaling of the features: ``"minmax"`` (to [0, 1]), ``"standard"``, ``"quantile"``
            or ``"none"``. The scaler is fitted to the training rows; validation and test rows can
            therefore be outside [0, 1].
        quantile_output: Distribution after ``scaling="quantile"``: ``"normal"`` or ``"uniform"``.
        legacy_test_scaling: Whether to scale the test rows with a scaler fitted to the test rows.
            This reproduces a bug in the published accuracies of PEAR: the same row gets different
            features in training and in testing.
        val_fraction: Share of the training rows held out for validation, 0 to below 1. With 0 there
            is no validation (as in PEAR).
        test_fraction: Share of ``data`` held out for testing, 0 to below 1. Not used if the test
            rows come from a separate table.
        seed: Seed of the splits and of the junk features. Splits keep the share of each class.
        batch_size: Number of rows in a training batch.
        eval_batch_size: Number of rows in any other batch. None is ``batch_size``.
        num_workers: Number of loading processes. 0 is fastest for a table in memory.
        drop_last: Whether to drop the last training batch if it is smaller.
        pin_memory: Whether to page-lock batches for the copy to the GPU. Ignored without CUDA.
        junk_features: Number of columns of uniform [0, 1] noise to append to every split, after
            scaling, or ``"double"`` for as many as there are features. A sound explanation gives
            them no weight.

    Raises:
        ValueError: If an argument is out of range, a column is missing or not numeric, a value is
            missing or infinite, or the target does not fit the task.
        FileNotFoundError: If a file does not exist.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"age": range(20, 40), "income": range(20), "y": [0, 1] * 10})
        >>> data = TabularDataModule(table, target="y", val_fraction=0.2, batch_size=4)
        >>> data.setup()
        >>> data.splits, data.feature_names, data.num_classes
        ({'train': 12, 'val': 3, 'test': 5}, ['age', 'income'], 2)
        >>> inputs, target = next(iter(data.train_dataloader()))
        >>> inputs.shape, inputs.dtype, target.dtype
        (torch.Size([4, 2]), torch.float32, torch.int64)
    """

    def __init__(
        self,
        data: Any = None,
        test_data: Any = None,
        *,
        hub_id: str | None = None,
        hub_config: str | None = None,
        data_files: str | list[str] | dict[str, str] | None = None,
        revision: str | None = None,
        cache_dir: str | None = None,
        separator: str | None = None,
        target: str = "target",
        features: list[str] | None = None,
        class_names: list[str] | None = None,
        task: Literal["classification", "regression"] = "classification",
        scaling: Scaling = "minmax",
        quantile_output: QuantileOutput = "normal",
        legacy_test_scaling: bool = False,
        val_fraction: float = 0.0,
        test_fraction: float = 0.25,
        seed: int = 0,
        batch_size: int = 64,
        eval_batch_size: int | None = None,
        num_workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
        junk_features: int | Literal["double"] | None = None,
    ) -> None:
        super().__init__()
        # a checkpoint must hold plain values only to be readable under weights_only
        data = str(data) if isinstance(data, os.PathLike) else data
        test_data = str(test_data) if isinstance(test_data, os.PathLike) else test_data
        tables = {"data": data, "test_data": test_data}
        # not logged, because the Trainer raises if a module has a hyperparameter of the same name
        # with another value, and many modules have a seed or a batch_size
        self.save_hyperparameters(
            ignore=[name for name, table in tables.items() if not isinstance(table, str)],
            logger=False,
        )

        if data is not None and hub_id is not None:
            raise ValueError("data must be None with hub_id, got both; give one source")
        if test_data is not None and data is None:
            raise ValueError("data, the training rows, must be given with test_data, got None")
        if hub_id is None and not (hub_config is None and data_files is None):
            raise ValueError("hub_id must be given with hub_config or data_files, got None")
        for name, fraction in {
            "val_fraction": val_fraction,
            "test_fraction": test_fraction,
        }.items():
            if not 0 <= fraction < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {fraction}")
        for name, size in {"batch_size": batch_size, "eval_batch_size": eval_batch_size}.items():
            if size is not None and size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if task not in ("classification", "regression"):
            raise ValueError(f"task must be 'classification' or 'regression', got {task!r}")
        if class_names is not None and task == "regression":
            raise ValueError(f"class_names must be None for task='regression', got {class_names!r}")
        if junk_features != "double" and (
            isinstance(junk_features, str) or (junk_features or 0) < 0
        ):
            raise ValueError(
                f"junk_features must be a number of at least 0 or 'double', got {junk_features!r}"
            )
        make_scaler(scaling, 1, quantile_output)  # raises for an unknown name

        self.data = data
        self.test_data = test_data
        self.hub_id = hub_id
        self.hub_config = hub_config
        self.data_files = data_files
        self.revision = revision
        self.cache_dir = cache_dir
        self.separator = separator
        self.target = target
        self.features = features
        self.task = task
        self.scaling: Scaling = scaling
        self.quantile_output: QuantileOutput = quantile_output
        self.legacy_test_scaling = legacy_test_scaling
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.seed = seed
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.drop_last = drop_last
        self.pin_memory = pin_memory
        self.junk_features = junk_features
        self._class_names = class_names
        self._feature_names: list[str] = []
        self._datasets: dict[str, TableDataset] = {}

    def load_tables(self) -> "tuple[DataFrame, DataFrame | None]":
        """Return the table for training, and the table for testing or None."""
        if self.hub_id is not None:
            return read_hub(
                self.hub_id,
                self.hub_config,
                data_files=self.data_files,
                revision=self.revision,
                cache_dir=self.cache_dir,
            )
        if self.data is None:
            raise ValueError(
                "data (a path, a DataFrame or (X, y)) or hub_id must be given, got neither"
            )
        test = self.test_data
        return (
            as_frame(self.data, self.target, self.separator),
            None if test is None else as_frame(test, self.target, self.separator),
        )

    @override
    def prepare_data(self) -> None:
        if self.hub_id is not None:
            self.load_tables()  # fills the cache for the other processes

    @override
    def setup(self, stage: str | None = None) -> None:
        if self._datasets:
            return  # all stages use the same rows
        train, test = self.load_tables()
        train = train.rename(columns=str)
        names = feature_columns(train, self.target, self.features)
        inputs = {"train": feature_values(train, names, "training table")}
        target = {"train": train[self.target]}
        if test is not None:
            test = test.rename(columns=str)
            inputs["test"] = feature_values(test, [*names], "test table")
            if self.target not in test.columns:
                raise ValueError(
                    f"target must be a column of the test table, {list(test.columns)}, got "
                    f"{self.target!r}"
                )
            target["test"] = test[self.target]

        values, class_names = self._encode(target)
        if test is None:
            self._hold_out(inputs, values, "test", self.test_fraction)
        self._hold_out(inputs, values, "val", self.val_fraction)
        inputs = self._scale(inputs)

        junk = len(names) if self.junk_features == "double" else int(self.junk_features or 0)
        dtype = torch.long if self.task == "classification" else torch.float32
        self._datasets = {
            split: TableDataset(
                self._with_junk(inputs[split], junk, place),
                torch.as_tensor(values[split]).to(dtype),
            )
            for place, split in enumerate(("train", "val", "test"))
            if split in inputs
        }
        self._feature_names = [*names, *(f"junk_{i}" for i in range(junk))]
        self._class_names = class_names

    def _refuse_source(self) -> None:
        """Raise for arguments that name a source, in a class with a fixed source."""
        if self.data is not None or self.hub_id is not None:
            raise ValueError(
                f"data and hub_id must be None for {type(self).__name__}, which has a fixed table, "
                "got a source; use TabularDataModule for other tables"
            )

    def _encode(
        self, target: "dict[str, Series[Any]]"
    ) -> "tuple[dict[str, NDArray[Any]], list[str]]":
        if self.task == "regression":
            return {part: regression_values(column) for part, column in target.items()}, []
        classes = classes_of(target["train"])
        names = (
            [str(value) for value in classes] if self._class_names is None else self._class_names
        )
        if len(names) != len(classes):
            raise ValueError(
                f"class_names must have one name for each of the classes {classes}, got {names}"
            )
        values = {part: class_indices(column, classes, part) for part, column in target.items()}
        return values, list(names)

    def _hold_out(
        self,
        inputs: "dict[str, NDArray[Any]]",
        values: "dict[str, NDArray[Any]]",
        split: str,
        fraction: float,
    ) -> None:
        """Move a share of the training rows to ``split``."""
        from sklearn.model_selection import train_test_split

        if fraction == 0:
            return
        try:
            parts = train_test_split(
                inputs["train"],
                values["train"],
                test_size=fraction,
                random_state=self.seed,
                stratify=values["train"] if self.task == "classification" else None,
            )
        except ValueError as error:
            raise ValueError(
                f"{split}_fraction must leave enough rows in both splits, got {fraction} of "
                f"{len(values['train'])} rows: {error}"
            ) from error
        inputs["train"], inputs[split], values["train"], values[split] = parts

    def _scale(self, inputs: "dict[str, NDArray[Any]]") -> "dict[str, NDArray[Any]]":
        scaler = make_scaler(self.scaling, len(inputs["train"]), self.quantile_output, self.seed)
        if scaler is None:
            return inputs
        scaler.fit(inputs["train"])
        scaled = {split: scaler.transform(rows) for split, rows in inputs.items()}
        if self.legacy_test_scaling and "test" in inputs:
            own = make_scaler(self.scaling, len(inputs["test"]), self.quantile_output, self.seed)
            scaled["test"] = own.fit_transform(inputs["test"])
        return scaled

    def _with_junk(self, rows: "NDArray[Any]", junk: int, stream: int) -> Tensor:
        import numpy as np

        noise = np.random.default_rng([self.seed, stream]).uniform(size=(len(rows), junk))
        return torch.as_tensor(np.concatenate([rows, noise], axis=1), dtype=torch.float32)

    def _split(self, name: str) -> TableDataset:
        if not self._datasets:
            raise RuntimeError("the table must be loaded before use, got none; call setup() first")
        return self._datasets[name]

    @property
    def splits(self) -> dict[str, int]:
        """Number of rows of each existing split."""
        self._split("train")
        return {name: len(rows) for name, rows in self._datasets.items()}

    @property
    def n_features(self) -> int:
        """Number of features, including junk features."""
        return self._split("train").inputs.shape[1]

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in the order of the columns of ``inputs``."""
        self._split("train")
        return list(self._feature_names)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of ``target``; empty for regression."""
        self._split("train")
        return list(self._class_names or [])

    @property
    def num_classes(self) -> int:
        """Number of classes, the number of outputs that a model needs; 1 for regression."""
        return max(len(self.class_names), 1)

    @property
    def training_mean(self) -> Tensor:
        """Mean ``(n,)`` of the scaled training rows, the baseline of many explanations."""
        return self._split("train").inputs.double().mean(dim=0).float()

    def training_rows(self, n: int, seed: int = 0) -> Tensor:
        """Draw up to ``n`` different scaled training rows, as background data.

        Args:
            n: Number of rows; if there are fewer, all rows are drawn.
            seed: Seed of the draw.

        Returns:
            Rows ``(min(n, N), n_features)``.

        Raises:
            ValueError: If ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        rows = self._split("train").inputs
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
        return rows[order[:n]]

    @override
    def train_dataloader(self) -> DataLoader[Batch]:
        rows = self._split("train")
        if self.drop_last and len(rows) < self.batch_size:
            raise ValueError(
                f"batch_size must be at most {len(rows)}, the number of training rows, with "
                f"drop_last=True, got {self.batch_size}"
            )
        return self._loader(rows, self.batch_size, shuffle=True, drop_last=self.drop_last)

    @override
    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        return self._eval_loader("val")

    @override
    def test_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        return self._eval_loader("test")

    @override
    def predict_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        return self._eval_loader("test")

    def _eval_loader(self, split: str) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        if split not in self.splits:
            return []
        return self._loader(self._split(split), self.eval_batch_size or self.batch_size)

    def _loader(
        self, rows: TableDataset, batch_size: int, *, shuffle: bool = False, drop_last: bool = False
    ) -> DataLoader[Batch]:
        return DataLoader(
            rows,
            batch_size=batch_size,
            sampler=EpochShuffle(rows) if shuffle else None,
            drop_last=drop_last,
            collate_fn=as_batch,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=self.pin_memory and torch.cuda.is_available(),
        )
